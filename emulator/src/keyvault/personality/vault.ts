import { createHash } from 'node:crypto'
import { base64Url } from '../encoding.ts'
import { badParameter, KeyVaultError } from '../errors.ts'
import { plainKeyType } from '../rules/key-types.ts'
import type { Personality } from './personality.ts'
import { attributes, deletion, jsonWebKey, keyBundle, keyItem, policyOf, tagsOf } from './views.ts'

const AUDIENCE = 'https://vault.azure.net'
const SERVICE_VERSION = '1.9.3070.1'

/** A key vault, Standard or Premium, as it answers in 2026. */
export const vaultPersonality: Personality = {
  service: 'keyvault',
  audience: AUDIENCE,

  headers: ({ vault, requestId, clientRequestId, assignment, status }) => ({
    'Cache-Control': 'no-cache',
    Pragma: 'no-cache',
    Expires: '-1',
    'Content-Type': 'application/json; charset=utf-8',
    'x-ms-keyvault-region': vault.location,
    ...(clientRequestId === undefined ? {} : { 'x-ms-client-request-id': clientRequestId }),
    'x-ms-request-id': requestId,
    'x-ms-keyvault-service-version': SERVICE_VERSION,
    'x-ms-keyvault-network-info': 'conn_type=Ipv4;addr=127.0.0.1;act_addr_fam=InterNetwork;',
    ...(assignment === undefined || status === 401
      ? {}
      : { 'x-ms-keyvault-rbac-assignment-id': assignment.name.replaceAll('-', '') }),
    'X-Content-Type-Options': 'nosniff',
    'Strict-Transport-Security': 'max-age=31536000;includeSubDomains',
  }),
  challengeBody: () =>
    JSON.stringify({
      error: { code: 'Unauthorized', message: 'AKV10000: Request is missing a Bearer, PoP, or MTLS_POP token.' },
    }),
  errorBody: (error) => ({
    error: {
      code: error.code,
      message: error.message,
      ...(error.innerCode === undefined ? {} : { innererror: { code: error.innerCode } }),
    },
  }),
  write: (body) => JSON.stringify(body),

  says: {
    badToken: ({ code, found }, { tenantId }, token) => {
      if (code === 'audience') return `AKV10022: Invalid audience. Expected ${AUDIENCE}, found: ${found}.`
      if (code === 'issuer') {
        return `AKV10032: Invalid issuer. Expected one of https://sts.windows.net/${tenantId}/, found ${found}.`
      }
      // Both as reported of the live service; the header of a token names its key and holds nothing secret.
      if (code === 'expired') return "[TokenExpired] Error validating token: 'S2S12086'."
      const header = /^[\w-]{1,1000}(?=\.)/.exec(token)?.[0] ?? ''
      if (code === 'signature') {
        return `AKV10046: Unable to resolve the key used for signature validation. EncodedJwtHeader: '${header}'.`
      }
      return 'Error validating token.'
    },
    invalidName: (name) => badParameter(`The request URI contains an invalid name: ${name}`),
    keyNotFound: (_view, name, { version } = {}) => notFound(version === undefined ? name : `${name}/${version}`),
    deletedKeyNotFound: (_view, name) => notFound(name),
    nameInUse: (name) =>
      new KeyVaultError(
        409,
        'Conflict',
        `Key ${name} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the key can only be recovered or purged.`,
        { innerCode: 'ObjectIsDeletedButRecoverable' },
      ),
    beingDeleted: () =>
      new KeyVaultError(409, 'Conflict', 'Key is currently being deleted.', { innerCode: 'ObjectIsBeingDeleted' }),
    beingRecovered: () =>
      new KeyVaultError(409, 'Conflict', 'Key is currently being recovered.', { innerCode: 'ObjectIsBeingRecovered' }),
    operationNotSpecified: () => badParameter('Operation not specified'),
    unknownOperation,
    // What is not 32 hex digits is taken for the name of an operation.
    malformedVersion: (method, _view, _name, version) => unknownOperation(method, version),
    malformedBackup: () =>
      new KeyVaultError(400, 'Malformed backup blob', 'Backup blob contains invalid or corrupt version.'),
  },

  keyBundle,
  deletedKeyBundle: (view, key) => {
    const version = key.versions.at(-1)!
    return {
      ...deletion(view, key),
      key: jsonWebKey(view, key, version),
      attributes: attributes(view, key, version),
      ...tagsOf(version),
    }
  },
  keyItem,
  deletedKeyItem: (view, key) => ({ ...deletion(view, key), ...keyItem(view, key, key.versions.at(-1)!, false) }),
  page: (items, nextLink) => ({ value: items, nextLink: nextLink ?? null }),
  nextLink: (view, path, marker, maxResults) => {
    const token = Buffer.from(JSON.stringify({ NextMarker: marker, TargetLocation: 0 })).toString('base64')
    const { hostname, port } = new URL(view.origin)
    const size = maxResults === undefined ? '' : `&maxresults=${maxResults}`
    // The real service writes the default port too.
    return `https://${hostname}:${port || 443}${path}?api-version=${view.apiVersion}&$skiptoken=${token}${size}`
  },
  operationResult: (kid, { value }) => (typeof value === 'boolean' ? { value } : { kid, value }),
  rotationPolicy: (view, key, policy) => {
    if (policy === undefined) {
      return {
        lifetimeActions: [{ trigger: { timeBeforeExpiry: 'P30D' }, action: { type: 'Notify' } }],
        attributes: null,
      }
    }
    const { lifetimeActions, expiryTime, created, updated } = policy
    return {
      id: `${view.origin}/keys/${key.name}/rotationpolicy`,
      lifetimeActions: lifetimeActions.map(({ type, ...trigger }) => ({ trigger, action: { type } })),
      attributes: { ...(expiryTime === undefined ? {} : { expiryTime }), created, updated },
    }
  },

  release: {
    signerNames: () => ['vault.azure.net', '*.vault.azure.net', '*.vaultcore.azure.net'],
    header: (chain) => {
      const sha1 = createHash('sha1').update(chain[0]!).digest()
      return {
        alg: 'RS256',
        kid: sha1.toString('hex').toUpperCase(),
        x5t: base64Url(sha1),
        typ: 'JWT',
        'x5t#S256': base64Url(createHash('sha256').update(chain[0]!).digest()),
        x5c: chain.map((certificate) => certificate.toString('base64')),
      }
    },
    payload: (view, key, version, { kid, enc, nonce, keyHsm }) => {
      const { data, immutable } = policyOf(view, key).release_policy ?? {}
      return {
        request: { 'api-version': view.apiVersion, enc, kid, ...(nonce === undefined ? {} : { nonce }) },
        response: {
          key: {
            key: { ...jsonWebKey(view, key, version), kty: plainKeyType(version.kty), key_hsm: keyHsm },
            attributes: attributes(view, key, version),
            release_policy: { data, immutable },
          },
        },
      }
    },
    memberOrder: 'vault',
  },
}

/** As reported of the live service for `DELETE /deletedsecrets/{name}/purge` and `GET /secrets/{name}/latest`. */
function unknownOperation(method: string, word: string): KeyVaultError {
  return badParameter(`Method ${method} does not allow operation '${word}'`)
}

function notFound(what: string): KeyVaultError {
  return new KeyVaultError(
    404,
    'KeyNotFound',
    `A key with (name/id) ${what} was not found in this key vault. If you recently deleted this key you may be able to recover it using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182`,
  )
}
