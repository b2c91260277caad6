import { createHash, generateKeyPairSync } from 'node:crypto'
import type { Route } from './routes.ts'
import { type HostileWorld, MANAGED_HSM, VAULT } from './world.ts'

/*
 * Every operation of the data plane as a request that is taken, over keys that exist.
 */

/** What was sent as a secret and must not come back. */
export const SENT_SECRETS: string[] = []

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' })
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })
SENT_SECRETS.push(rsa.d!, rsa.p!, rsa.q!, ec.d!)

const digest = createHash('sha256').update('hostile').digest('base64url')
const policy = Buffer.from(
  JSON.stringify({
    version: '1.0.0',
    anyOf: [
      {
        authority: 'https://sharedweu.weu.attest.azure.net',
        allOf: [
          { claim: 'x-ms-attestation-type', equals: 'sevsnpvm' },
          { anyOf: [{ claim: 'x-ms-sevsnpvm-hostdata', equals: '00' }] },
        ],
      },
    ],
  }),
).toString('base64url')
const attributes = { enabled: true, nbf: 1_000_000_000, exp: 4_000_000_000 }
const rotate = { trigger: { timeAfterCreate: 'P60D' }, action: { type: 'Rotate' } }
const notify = { trigger: { timeBeforeExpiry: 'P30D' }, action: { type: 'Notify' } }
/** A managed HSM does not notify. */
const rotationPolicyOf = (origin: string) => ({
  lifetimeActions: origin === MANAGED_HSM ? [rotate] : [rotate, notify],
  attributes: { expiryTime: 'P2Y' },
})
const ROLE = '7f8c1a52-1111-4222-8333-444455556666'
const CUSTOM_ROLE = '7f8c1a52-2222-4222-8333-444455556666'

export interface Keys {
  readonly version: string
  readonly backup: string
  readonly ciphertext: string
  readonly signature: string
  readonly wrapped: string
}

/** Makes the keys that the requests of one vault are about. */
export async function prepareKeys(world: HostileWorld, origin: string): Promise<Keys> {
  const headers = await headersOf(world, origin)
  const ask = async (method: string, path: string, body?: object) => {
    const url = `${origin}${path}?api-version=2026-04-01`
    const answer = await world.send({ method, url, headers, ...(body && { body: JSON.stringify(body) }) })
    if (answer!.status >= 300) throw new Error(`${method} ${path}: ${answer!.status} ${answer!.text}`)
    return JSON.parse(answer!.text || '{}') as { value: string; key: { kid: string } }
  }
  const kty = origin === MANAGED_HSM ? 'RSA-HSM' : 'RSA'
  await ask('PUT', '/keys/r', { key: { ...rsa, kty }, tags: { a: 'b' } })
  const { key } = await ask('POST', '/keys/e/create', { kty: 'EC-HSM', crv: 'P-256', tags: { a: 'b' } })
  await ask('POST', '/keys/x/create', {
    kty: 'EC-HSM',
    crv: 'P-256',
    attributes: { exportable: true },
    release_policy: { data: policy },
  })
  for (const name of ['r', 'e']) await ask('PUT', `/keys/${name}/rotationpolicy`, rotationPolicyOf(origin))
  for (const name of ['gone', 'lost']) {
    await ask('POST', `/keys/${name}/create`, { kty: 'EC-HSM', crv: 'P-256' })
    if (name === 'lost') continue
    await ask('DELETE', `/keys/${name}`)
  }
  const { value: backup } = await ask('POST', '/keys/lost/backup')
  await ask('DELETE', '/keys/lost')
  await ask('DELETE', '/deletedkeys/lost')
  const { value: ciphertext } = await ask('POST', '/keys/r/encrypt', { alg: 'RSA-OAEP-256', value: 'c2VjcmV0' })
  const { value: wrapped } = await ask('POST', '/keys/r/wrapkey', { alg: 'RSA-OAEP', value: 'c2VjcmV0' })
  const { value: signature } = await ask('POST', '/keys/r/sign', { alg: 'RS256', value: digest })
  if (origin === MANAGED_HSM) {
    await ask('POST', '/keys/o/create', { kty: 'oct-HSM', key_size: 256 })
    const principalId = world.emulator.context.seed.admin.objectId
    const roles = '/keys/providers/Microsoft.Authorization'
    await ask('PUT', `${roles}/roleAssignments/${ROLE}`, { properties: { roleDefinitionId: CRYPTO_USER, principalId } })
    await ask('PUT', `/providers/Microsoft.Authorization/roleDefinitions/${CUSTOM_ROLE}`, customRole('hostile'))
  }
  return { version: key.kid.split('/').at(-1)!, backup, ciphertext, wrapped, signature }
}

const CRYPTO_USER =
  'Microsoft.KeyVault/providers/Microsoft.Authorization/roleDefinitions/21dbd100-6940-42c2-9190-5d6cb909625b'
const customRole = (roleName: string) => ({
  properties: {
    roleName,
    description: 'd',
    type: 'CustomRole',
    permissions: [{ dataActions: ['Microsoft.KeyVault/managedHsm/keys/read/action'], notDataActions: [] }],
    assignableScopes: ['/'],
  },
})

function headersOf(world: HostileWorld, origin: string): Promise<Readonly<Record<string, string>>> {
  return world.authorization(origin === MANAGED_HSM ? 'https://managedhsm.azure.net' : 'https://vault.azure.net')
}

export async function vaultRoutes(world: HostileWorld, origin: string, keys: Keys): Promise<Route[]> {
  const headers = await headersOf(world, origin)
  const route = (operation: string, method: string, path: string, body?: unknown, status = 200): Route => ({
    name: `${operation} (${new URL(origin).host})`,
    method,
    origin,
    path,
    query: 'api-version=2026-04-01',
    headers,
    ...(body !== undefined && { body }),
    status,
  })
  const target = `${Buffer.from('{"alg":"RS256","kid":"k","typ":"JWT"}').toString('base64url')}.${Buffer.from('{"iss":"https://sharedweu.weu.attest.azure.net","exp":4000000000}').toString('base64url')}.AAAA`
  const common = { attributes, tags: { purpose: 'hostile' }, key_ops: ['sign', 'verify'] }
  const release_policy = { contentType: 'application/json; charset=utf-8', data: policy, immutable: false }
  const kty = origin === MANAGED_HSM ? 'RSA-HSM' : 'RSA'
  const routes = [
    route('create', 'POST', '/keys/e/create', { kty: 'EC-HSM', crv: 'P-384', ...common }),
    route('create exportable', 'POST', '/keys/x/create', {
      kty: 'EC-HSM',
      crv: 'P-256',
      attributes: { exportable: true },
      release_policy,
    }),
    route('import RSA', 'PUT', '/keys/r', { key: { ...rsa, kty, key_ops: ['sign'] }, attributes, tags: { a: 'b' } }),
    route('import EC', 'PUT', '/keys/e', { key: { ...ec, kty: 'EC-HSM' }, Hsm: true, attributes }),
    route('get', 'GET', `/keys/e/${keys.version}`),
    route('get latest', 'GET', '/keys/e'),
    route('list', 'GET', '/keys'),
    route('listVersions', 'GET', '/keys/e/versions'),
    route('update', 'PATCH', `/keys/e/${keys.version}`, common),
    route('update policy', 'PATCH', '/keys/x', { release_policy, attributes: { enabled: true } }),
    route('delete', 'DELETE', '/keys/e'),
    route('listDeleted', 'GET', '/deletedkeys'),
    route('getDeleted', 'GET', '/deletedkeys/gone'),
    route('recover', 'POST', '/deletedkeys/gone/recover'),
    route('purge', 'DELETE', '/deletedkeys/gone', undefined, 204),
    route('backup', 'POST', '/keys/e/backup'),
    route('restore', 'POST', '/keys/restore', { value: keys.backup }),
    route('encrypt', 'POST', '/keys/r/encrypt', { alg: 'RSA-OAEP', value: 'c2VjcmV0' }),
    route('decrypt', 'POST', '/keys/r/decrypt', { alg: 'RSA-OAEP-256', value: keys.ciphertext }),
    route('wrapKey', 'POST', '/keys/r/wrapkey', { alg: 'RSA1_5', value: 'c2VjcmV0' }),
    route('unwrapKey', 'POST', '/keys/r/unwrapkey', { alg: 'RSA-OAEP', value: keys.wrapped }),
    route('sign', 'POST', '/keys/e/sign', { alg: 'ES256', value: digest }),
    route('sign RSA', 'POST', '/keys/r/sign', { alg: 'PS256', value: digest }),
    route('verify', 'POST', '/keys/r/verify', { alg: 'RS256', digest, value: keys.signature }),
    route('release', 'POST', '/keys/x/release', { target, nonce: 'n', enc: 'CKM_RSA_AES_KEY_WRAP' }, 403),
    route('rotate', 'POST', '/keys/e/rotate', undefined),
    route('getRotationPolicy', 'GET', '/keys/r/rotationpolicy'),
    route('putRotationPolicy', 'PUT', '/keys/r/rotationpolicy', rotationPolicyOf(origin)),
    route('attestation', 'GET', `/keys/e/${keys.version}/attestation`),
    route('secureWrapKey', 'POST', '/keys/r/securewrapkey', { alg: 'RSA-OAEP', value: 'AA' }, 501),
    route('secureUnwrapKey', 'POST', '/keys/r/secureunwrapkey', { alg: 'RSA-OAEP', value: 'AA' }, 501),
  ]
  if (origin === VAULT) return routes
  const roles = '/keys/providers/Microsoft.Authorization'
  const principalId = world.emulator.context.seed.admin.objectId
  const byte = (count: number) => Buffer.alloc(count, 1).toString('base64url')
  return [
    ...routes,
    route('random', 'POST', '/rng', { count: 32 }),
    route('encrypt GCM', 'POST', '/keys/o/encrypt', { alg: 'A256GCM', value: 'AAAA', aad: 'AAAA', iv: byte(12) }),
    route('encrypt CBC', 'POST', '/keys/o/encrypt', { alg: 'A256CBCPAD', value: 'AAAA', iv: byte(16) }),
    route('decrypt GCM', 'POST', '/keys/o/decrypt', { alg: 'A256GCM', value: 'AA', iv: byte(12), tag: byte(16) }, 400),
    route('wrap AES', 'POST', '/keys/o/wrapkey', { alg: 'A256KW', value: byte(32) }),
    route('unwrap AES', 'POST', '/keys/o/unwrapkey', { alg: 'A256KW', value: byte(40) }, 400),
    route('sign HMAC', 'POST', '/keys/o/sign', { alg: 'HS256', value: digest }),
    route('import oct', 'PUT', '/keys/o', { key: { kty: 'oct-HSM', k: byte(32) } }),
    route('listSettings', 'GET', '/settings'),
    route('getSetting', 'GET', '/settings/AllowKeyManagementOperationsThroughARM'),
    route('updateSetting', 'PATCH', '/settings/AllowKeyManagementOperationsThroughARM', { value: 'true' }),
    route('listRoleDefinitions', 'GET', '/providers/Microsoft.Authorization/roleDefinitions'),
    route('getRoleDefinition', 'GET', `/providers/Microsoft.Authorization/roleDefinitions/${CUSTOM_ROLE}`),
    route(
      'putRoleDefinition',
      'PUT',
      `/providers/Microsoft.Authorization/roleDefinitions/${CUSTOM_ROLE}`,
      customRole('other'),
      201,
    ),
    route('deleteRoleDefinition', 'DELETE', `/providers/Microsoft.Authorization/roleDefinitions/${CUSTOM_ROLE}`),
    route('listRoleAssignments', 'GET', `${roles}/roleAssignments`),
    route('getRoleAssignment', 'GET', `${roles}/roleAssignments/${ROLE}`),
    route('deleteRoleAssignment', 'DELETE', `${roles}/roleAssignments/${ROLE}`),
    route(
      'putRoleAssignment',
      'PUT',
      `${roles}/roleAssignments/${ROLE.replace('1111', '1112')}`,
      {
        properties: {
          roleDefinitionId: CRYPTO_USER.replace(
            '21dbd100-6940-42c2-9190-5d6cb909625b',
            '4bd23610-cdcf-4971-bdee-bdc562cc28e4',
          ),
          principalId,
        },
      },
      201,
    ),
  ]
}
