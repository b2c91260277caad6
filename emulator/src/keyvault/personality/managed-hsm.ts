import { createHash } from 'node:crypto'
import { alphabetical, base64Url } from '../encoding.ts'
import { badParameter, KeyVaultError } from '../errors.ts'
import { plainKeyType } from '../rules/key-types.ts'
import type { Personality, View } from './personality.ts'
import { attributes, deletion, jsonWebKey, keyBundle, keyItem, policyOf } from './views.ts'

const BUILD_VERSION = '1.0.20260320-2-76f00f12-develop'

/** A managed HSM: every body in alphabetical order, an Activity ID at the end of every complaint. */
export const managedHsmPersonality: Personality = {
  service: 'managedhsm',
  audience: 'https://managedhsm.azure.net',

  headers: ({ vault, method, status, requestId }) => ({
    'Content-Security-Policy': "default-src 'self'",
    'X-Frame-Options': 'SAMEORIGIN',
    'X-Content-Type-Options': 'nosniff',
    'Strict-Transport-Security': 'max-age=31536000; includeSubDomains',
    'Cache-Control': 'no-cache',
    'Content-Type': 'application/json; charset=utf-8',
    'x-ms-request-id': requestId,
    'x-ms-server-latency': '1',
    ...(method === 'GET' ? { 'x-ms-build-version': BUILD_VERSION } : {}),
    ...(status >= 300
      ? {}
      : {
          'x-ms-keyvault-region': vault.location,
          'x-ms-keyvault-network-info': 'conn_type=Ipv4;addr=127.0.0.1;act_addr_fam=Ipv4;',
        }),
  }),
  challengeBody: (method) => (method === 'GET' ? 'OK' : null),
  errorBody: (error, requestId) => ({
    error: { code: error.code, message: `${error.message} (Activity ID: ${requestId})` },
  }),
  write: (body) => JSON.stringify(alphabetical(body)),

  says: {
    // The first and the last were reported of the live service, which names neither audience nor issuer.
    badToken: ({ code }) => {
      if (code === 'malformed') return 'Error decoding or parsing JWT components'
      if (code === 'expired') return 'Token expired'
      return code === 'notYetValid' ? 'Token not yet valid' : 'Error validating the token'
    },
    invalidName: () => badParameter('Invalid key identifier or name'),
    keyNotFound: (view, name, { rotating = false } = {}) =>
      notFound(`${rotating ? 'Key not found: ' : ''}${view.origin}/keys/${name}`),
    deletedKeyNotFound: (view, name) => notFound(`${view.origin}/deletedkeys/${name}`),
    nameInUse: (name) =>
      new KeyVaultError(
        409,
        'Conflict',
        `Key ${name} is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the key can only be recovered or purged.`,
      ),
    beingDeleted: () => new KeyVaultError(409, 'Conflict', 'Key is currently being deleted.'),
    beingRecovered: () => new KeyVaultError(409, 'Conflict', 'Key is currently being recovered.'),
    operationNotSpecified: () => badParameter('Invalid key identifier or name'),
    // Nothing was ever seen of a managed HSM for either; a version that cannot be is one that is not there.
    unknownOperation: () => new KeyVaultError(404, 'NotFound', 'There is no such resource or operation.'),
    malformedVersion: (_method, view, name) => notFound(`${view.origin}/keys/${name}`),
    malformedBackup: () =>
      new KeyVaultError(
        400,
        'MalformedBackupBlob',
        'Backup blob belongs to a different crypto domain and cannot be used with this instance.',
      ),
  },

  keyBundle,
  deletedKeyBundle: (view, key) => ({ ...deletion(view, key), ...keyBundle(view, key, key.versions.at(-1)!) }),
  keyItem,
  deletedKeyItem: (view, key) => ({ ...deletion(view, key), ...keyItem(view, key, key.versions.at(-1)!, false) }),
  page: (items, nextLink) => ({ value: items, ...(nextLink === undefined ? {} : { nextLink }) }),
  nextLink: (view, path, marker, maxResults) => {
    const size = maxResults === undefined ? '' : `maxresults=${maxResults}&`
    return `${view.origin}${path}?${size}$skiptoken=${Buffer.from(marker).toString('base64url')}`
  },
  operationResult: (kid, result) => ({ kid, ...result }),
  rotationPolicy: (_view, key, policy) => {
    if (policy === undefined) return { attributes: { created: 0, expiryTime: '', updated: 0 }, id: '' }
    const { lifetimeActions, expiryTime, created, updated } = policy
    return {
      id: `keys/${key.name}/rotationpolicy`,
      ...(lifetimeActions.length === 0
        ? {}
        : {
            lifetimeActions: lifetimeActions.map(({ type, ...trigger }) => ({
              trigger,
              action: { type: type.toLowerCase() },
            })),
          }),
      attributes: { ...(expiryTime === undefined ? {} : { expiryTime }), created, updated },
    }
  },

  release: {
    signerNames: ({ host }) => [host, `*.${host}`],
    header: (chain) => {
      const sha256 = createHash('sha256').update(chain[0]!).digest()
      return {
        alg: 'RS256',
        kid: guidOf(sha256),
        x5c: chain.map((certificate) => certificate.toString('base64')),
        'x5t#S256': base64Url(sha256),
      }
    },
    payload: (view: View, key, version, { kid, enc, nonce, keyHsm }) =>
      alphabetical({
        request: { 'api-version': view.apiVersion, enc, kid, nonce },
        response: {
          key: {
            key: { ...jsonWebKey(view, key, version), kty: plainKeyType(version.kty), key_hsm: keyHsm },
            attributes: attributes(view, key, version),
            ...policyOf(view, key),
          },
        },
      }) as object,
    memberOrder: 'managedHsm',
  },
}

function notFound(what: string): KeyVaultError {
  return new KeyVaultError(404, 'KeyNotFound', `Key not found: ${what}`)
}

/** A key id in the form the service uses, the same for the same certificate. */
function guidOf(digest: Buffer): string {
  const hex = digest.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `a${hex.slice(17, 20)}`, hex.slice(20, 32)].join(
    '-',
  )
}
