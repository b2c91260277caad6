import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { manualClock } from '../../../emulator/src/core/index.ts'
import { TEST_CACHE_DIRECTORY } from '../../../emulator/src/core/test-context.ts'
import { createEmulator, type WireEndpoint } from '../../../emulator/src/emulator.ts'
import { ensureApplication } from '../../../emulator/src/entra/index.ts'
import { assertionForm, testCertificate } from '../../../emulator/src/entra/test-clients.ts'
import {
  createVaultWorld,
  MANAGED_HSM,
  STANDARD_VAULT,
  VAULT,
  type VaultWorld,
} from '../../../emulator/src/keyvault/test-vaults.ts'
import { readStateFile } from '../../../emulator/src/state/parse.ts'
import { ARM, createHostileWorld, type HostileWorld } from './world.ts'

/*
 * What was found by sending anything at all, each as small as it could be made; and what was looked at beside it.
 */

/** An object that cannot be made a text of: its `toString` is no function. */
const NO_TEXT = { toString: 1, valueOf: 1 }

describe('an object where a text is wanted, with a member toString of its own', () => {
  let world: HostileWorld
  let endpoint: WireEndpoint
  beforeAll(async () => {
    world = await createHostileWorld()
    endpoint = await world.emulator.listen()
  })
  afterAll(() => world[Symbol.asyncDispose]())

  async function put(path: string, body: object) {
    const { subscriptionId } = world.emulator.context.seed
    const url = `${ARM}/subscriptions/${subscriptionId}/resourceGroups/skerry${path}?api-version=2023-07-01`
    const headers = await world.authorization(ARM)
    return (await world.send({ method: 'PUT', url, headers, body: JSON.stringify(body) }))!
  }
  const vault = '/providers/Microsoft.KeyVault/vaults/hostile'
  const properties = (more: object) => {
    const { tenantId } = world.emulator.context.seed
    return { tenantId, sku: { family: 'A', name: 'premium' }, ...more }
  }

  it('is no issuer of an access token', async () => {
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
    for (const iss of [NO_TEXT, [NO_TEXT], null, 5]) {
      const authorization = `Bearer ${part({ alg: 'RS256' })}.${part({ iss, aud: [NO_TEXT] })}.AAAA`
      for (const url of [`${VAULT}/keys?api-version=7.4`, `${MANAGED_HSM}/keys?api-version=7.4`]) {
        expect((await world.send({ method: 'GET', url, headers: { authorization } }))!.status).toBe(401)
      }
    }
  })

  it('is no tenant of a vault, and no permission', async () => {
    expect((await put(vault, { location: 'westeurope', properties: properties({ tenantId: NO_TEXT }) })).status).toBe(
      400,
    )
    const accessPolicies = [
      { tenantId: world.emulator.context.seed.tenantId, objectId: 'o', permissions: { keys: [NO_TEXT] } },
    ]
    expect((await put(vault, { location: 'westeurope', properties: properties({ accessPolicies }) })).status).toBe(400)
  })

  it('is a tag as its JSON', async () => {
    const answer = await put(vault, { location: 'westeurope', tags: { a: NO_TEXT }, properties: properties({}) })
    expect(JSON.parse(answer.text).tags).toEqual({ a: '{"toString":1,"valueOf":1}' })
  })

  it('is no kind of principal and no kind of role', async () => {
    const name = '3f0c7a52-1111-4222-8333-444455556666'
    const authorization = '/providers/Microsoft.Authorization'
    const { objectId } = world.emulator.context.seed.admin
    const roleDefinitionId = `${authorization}/roleDefinitions/12338af0-0e69-4776-bea7-57ae8d297424`
    const assignment = { roleDefinitionId, principalId: objectId, principalType: NO_TEXT }
    expect((await put(`${authorization}/roleAssignments/${name}`, { properties: assignment })).status).toBe(400)
    const role = { roleName: 'r', type: NO_TEXT, permissions: [{}], assignableScopes: ['/subscriptions/x'] }
    expect((await put(`${authorization}/roleDefinitions/${name}`, { properties: role })).status).toBe(400)
  })

  it.each(['\r\nX-Injected: 1', '日本', '\u0000', '<script>', '%'])(
    'and a region that could be no header is none: %j',
    async (location) => {
      const { objectId } = world.emulator.context.seed.admin
      const hsm = {
        location,
        sku: { name: 'Standard_B1', family: 'B' },
        properties: { initialAdminObjectIds: [objectId] },
      }
      const answer = await put('/providers/Microsoft.KeyVault/managedHSMs/hostile', hsm)
      expect([answer.status, JSON.parse(answer.text).error.code]).toEqual([400, 'LocationNotAvailableForResourceType'])
      expect(world.emulator.context.store.collection('vaults').has('hostile.managedhsm.azure.net')).toBe(false)
    },
  )

  it.each(['constructor', '__proto__', 'toString'])(
    'and %s is no region of attestation and no version of App Service',
    async (name) => {
      const path = '/providers/Microsoft.Attestation/attestationProviders/hostile'
      expect((await put(path, { location: name, properties: {} })).status).toBe(400)
      const headers = { 'x-identity-header': world.emulator.credential.identityHeader() }
      const answer = await fetch(`${endpoint.url}/.skerry/msi/token?resource=x&api-version=${name}`, { headers })
      expect(answer.status).toBe(400)
    },
  )
})

describe('of a key', () => {
  let world: VaultWorld
  beforeEach(() => {
    world = createVaultWorld({ clock: manualClock('2026-01-01T00:00:00Z') })
  })
  const create = (body: object, origin = VAULT) => world.call('POST', `${origin}/keys/k/create`, body)

  it('the operations that come with an import are texts', async () => {
    for (const key_ops of [[NO_TEXT], 'sign', {}, [null], [['sign']]]) {
      const { status, json } = await world.call('PUT', `${VAULT}/keys/k`, {
        key: { kty: 'RSA', n: 'AQ', e: 'AQ', key_ops },
      })
      expect([status, json.error.code]).toEqual([400, 'BadParameter'])
    }
  })

  it.each([-1, 1, 2, 4, 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1, 1e300])(
    'a public exponent of %d is refused at once',
    async (public_exponent) => {
      const { status } = await create({ kty: 'RSA-HSM', key_size: 2048, public_exponent }, MANAGED_HSM)
      expect(status).toBe(400)
    },
  )

  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'then', 'a'.repeat(127)])(
    'the name may be %s, and it lives and dies like any other',
    async (name) => {
      for (const origin of [VAULT, STANDARD_VAULT, MANAGED_HSM]) {
        const at = `${origin}/keys/${name}`
        const isName = /^[0-9a-zA-Z-]+$/.test(name)
        expect((await world.call('POST', `${at}/create`, { kty: 'EC' })).status).toBe(isName ? 200 : 400)
        if (!isName) continue
        expect((await world.call('GET', `${origin}/keys`)).json.value).toHaveLength(1)
        expect((await world.call('DELETE', at)).status).toBe(200)
        expect((await world.call('DELETE', `${origin}/deletedkeys/${name}`)).status).toBe(204)
      }
      expect(world.ctx.store.contents()['keyvault.keys'] ?? {}).toEqual({})
    },
  )

  it('times may be as far off as a number goes, and the clock still moves', async () => {
    for (const exp of [8_640_000_000_000, 8_640_000_000_001, 2 ** 53 - 1, -1, 0]) {
      expect((await create({ kty: 'EC', attributes: { exp, nbf: -(2 ** 53 - 1) } })).status).toBe(200)
      const policy = {
        lifetimeActions: [{ trigger: { timeBeforeExpiry: 'P30D' }, action: { type: 'Rotate' } }],
        attributes: { expiryTime: 'P90D' },
      }
      await world.call('PUT', `${VAULT}/keys/k/rotationpolicy`, policy)
      await world.clock.advance(400 * 86_400_000)
      expect((await world.call('GET', `${VAULT}/keys/k`)).status).toBe(200)
      expect((await world.call('GET', `${VAULT}/keys`)).status).toBe(200)
    }
  })

  it.each([
    'P999999999Y',
    'P99999999999999999999D',
    '-P90D',
    'P90.5D',
    'P0D',
    'PT90H',
    'P',
    'P1Y1',
    'p90d',
    'P90D\u0000',
    `P${'9'.repeat(1000)}D`,
  ])('the expiry in a rotation policy is not %s', async (expiryTime) => {
    await create({ kty: 'EC' })
    const policy = {
      lifetimeActions: [{ trigger: { timeAfterCreate: 'P28D' }, action: { type: 'Rotate' } }],
      attributes: { expiryTime },
    }
    expect((await world.call('PUT', `${VAULT}/keys/k/rotationpolicy`, policy)).status).toBe(400)
  })

  it('what is wrapped, signed and encrypted may have any size, and is taken or refused', async () => {
    await create({ kty: 'oct-HSM', key_size: 256 }, MANAGED_HSM)
    await world.call('POST', `${MANAGED_HSM}/keys/r/create`, { kty: 'RSA' })
    const sizes = [0, 1, 16, 17, 32, 190, 214, 246, 256]
    const algorithms = {
      k: ['A256KW', 'CKM_AES_KEY_WRAP', 'CKM_AES_KEY_WRAP_PAD', 'A256GCM', 'A256CBC', 'A256CBCPAD', 'HS256'],
      r: ['RSA1_5', 'RSA-OAEP', 'RSA-OAEP-256', 'RS256', 'PS512', 'RSNULL'],
    }
    const statuses = new Set<number>()
    for (const [name, algs] of Object.entries(algorithms)) {
      for (const alg of algs) {
        for (const size of sizes) {
          const value = Buffer.alloc(size, 7).toString('base64url')
          const iv = Buffer.alloc(16).toString('base64url')
          const body = { alg, value, digest: value, iv, tag: iv }
          for (const operation of ['wrapkey', 'unwrapkey', 'encrypt', 'decrypt', 'sign', 'verify']) {
            const url = `${MANAGED_HSM}/keys/${name}/${operation}?api-version=2026-04-01`
            statuses.add((await world.call('POST', url, body)).status)
          }
        }
      }
    }
    for (const alg of ['A256KW', 'A256GCM', 'A256CBC', 'HS256']) {
      const value = Buffer.alloc(2 ** 20, 7).toString('base64url')
      const body = { alg, value, iv: Buffer.alloc(16).toString('base64url') }
      for (const operation of ['wrapkey', 'unwrapkey', 'encrypt', 'sign']) {
        const url = `${MANAGED_HSM}/keys/k/${operation}?api-version=2026-04-01`
        statuses.add((await world.call('POST', url, body)).status)
      }
    }
    expect([...statuses].toSorted()).toEqual([200, 400])
  })

  it('ten thousand tags are too many, as are tags that are long', async () => {
    const tags = Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [`t${at}`, 'v']))
    expect((await create({ kty: 'EC', tags })).status).toBe(400)
    expect((await create({ kty: 'EC', tags: { a: 'v'.repeat(2 ** 20) } })).status).toBe(400)
  })
})

describe('a long text is looked through in the time that its length takes', () => {
  let world: HostileWorld
  beforeAll(async () => {
    world = await createHostileWorld()
  })
  afterAll(() => world[Symbol.asyncDispose]())
  const slashes = `https://vault.azure.net${'/'.repeat(2 ** 20)}x`
  const client = '04b07795-8ddb-461a-bbee-02f9e1bf7b46'

  it.each([
    [
      'resource of a client',
      'oauth2/token',
      { grant_type: 'client_credentials', client_secret: 'x', resource: slashes },
    ],
    [
      'scope of a client',
      'oauth2/v2.0/token',
      { grant_type: 'client_credentials', client_secret: 'x', scope: `${slashes}/.default` },
    ],
    ['scope of a device', 'oauth2/v2.0/devicecode', { scope: `${slashes}/.default` }],
    ['resource of a device', 'oauth2/devicecode', { resource: slashes }],
    ['list of scopes of a device', 'oauth2/v2.0/devicecode', { scope: 'https://vault.azure.net/a '.repeat(40_000) }],
  ])('%s', { timeout: 10_000 }, async (_, path, form) => {
    const { tenantId, admin } = world.emulator.context.seed
    const clientId = path.includes('devicecode') ? client : admin.clientId
    const secret: Record<string, string> = path.includes('devicecode') ? {} : { client_secret: admin.clientSecret }
    const answer = await world.send({
      method: 'POST',
      url: `https://login.microsoftonline.com/${tenantId}/${path}`,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ client_id: clientId, ...(form as Record<string, string>), ...secret }).toString(),
    })
    expect(answer!.status).toBe(400)
    expect(JSON.stringify(world.emulator.context.store.contents()).length).toBeLessThan(2 ** 20)
  })

  it('the path of a request', { timeout: 10_000 }, async () => {
    const headers = await world.authorization('https://managedhsm.azure.net')
    for (const path of ['/'.repeat(200_000), `/keys${'/'.repeat(200_000)}x`, `/${'providers/'.repeat(50_000)}`]) {
      const answer = await world.send({ method: 'GET', url: `${MANAGED_HSM}${path}x?api-version=7.4`, headers })
      expect([400, 404]).toContain(answer!.status)
    }
  })

  it('the names of a certificate', { timeout: 10_000 }, async () => {
    const { ctx } = createVaultWorld()
    const { pem } = await testCertificate(ctx, 'client')
    const { clientId } = ensureApplication(world.emulator.context, { displayName: 'long', certificates: [pem] })
    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const header = { alg: 'RS256', kid: `${'='.repeat(2 ** 20)}x` }
    const assertion = `${part(header)}.${part({ iss: clientId, sub: clientId })}.AAAA`
    const answer = await world.send({
      method: 'POST',
      url: `https://login.microsoftonline.com/${world.emulator.context.seed.tenantId}/oauth2/v2.0/token`,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams(assertionForm(clientId, assertion)).toString(),
    })
    expect(answer!.status).toBe(401)
  })
})

describe('a clock', () => {
  it('is not moved to where no state could follow, and goes on', async () => {
    await using emulator = await createEmulator({ cacheDir: TEST_CACHE_DIRECTORY })
    await using endpoint = await emulator.listen()
    const advance = (by: string) =>
      fetch(`${endpoint.url}/.skerry/clock`, {
        method: 'POST',
        headers: { authorization: `Bearer ${emulator.credential.controlToken}` },
        body: JSON.stringify({ advance: by }),
      })
    expect((await advance('P99Y')).status).toBe(200)
    const refused = await advance('P2Y')
    expect([refused.status, ((await refused.json()) as { error: { code: string } }).error.code]).toEqual([
      400,
      'ERR_CLOCK_RANGE',
    ])
    expect((await advance('1d')).status).toBe(200)
    const state = await emulator.exportState()
    await emulator.importState(state)
  })
})

describe('a state file', () => {
  it('is not waited for where it is a pipe, nor read where it is a device', () => {
    const folder = mkdtempSync(join(tmpdir(), 'hostile-state-'))
    try {
      const pipe = join(folder, 'pipe')
      execFileSync('mkfifo', [pipe])
      for (const file of [pipe, '/dev/zero', '/dev/null']) {
        expect(() => readStateFile(file)).toThrow('is a device or a pipe, and not a file')
      }
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
