import { generateKeyPairSync } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import { AUTHORITY, createVaultWorld, MANAGED_HSM, VAULT, type VaultWorld } from './test-vaults.ts'

/* What other emulators of this service were seen to fail under Microsoft's own suites: one test each. */

let world: VaultWorld
beforeEach(() => {
  world = createVaultWorld()
})
const BOTH = [VAULT, MANAGED_HSM]

describe('401 comes before the body is read: other emulators answer 400, 405 or 415 to the first, empty request', () => {
  it.each([
    ['POST', '/keys/k/create', { 'content-length': '0' }],
    ['POST', '/keys/k/create', { 'content-type': 'application/json' }],
    ['POST', '/keys/k//sign', {}],
    ['POST', '/keys/k/v/release', {}],
    ['PUT', '/keys/k', {}],
    ['PATCH', '/keys/k/', {}],
    ['PUT', '/keys/k/rotationpolicy', {}],
    ['POST', '/keys/restore', {}],
    ['DELETE', '/deletedkeys/k', {}],
  ])('%s %s', async (method, path, headers) => {
    for (const origin of BOTH) {
      const request = new Request(`${origin}${path}?api-version=7.6`, { method, headers: new Headers(headers) })
      const answer = await world.fetch(request)
      expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, expect.stringMatching(/^Bearer /)])
    }
  })

  it('even of a body that is never sent', async () => {
    const body = new ReadableStream({ pull: () => new Promise(() => {}) })
    const init: RequestInit & { duplex: 'half' } = { method: 'POST', body, duplex: 'half' }
    const request = new Request(`${VAULT}/keys/k/create?api-version=7.6`, init)
    expect((await world.fetch(request)).status).toBe(401)
  })
})

describe('every operation takes a version that is left out and one that is empty: other emulators answer 404 or 405', () => {
  const digest = Buffer.alloc(32, 1).toString('base64url')

  it.each(BOTH)('%s', async (origin) => {
    const { json } = await world.call('POST', `${origin}/keys/k/create`, { kty: 'RSA' })
    const { kid } = json.key
    const kinds: readonly [string, string][] = [
      ['encrypt', 'decrypt'],
      ['wrapkey', 'unwrapkey'],
    ]
    for (const form of ['/keys/k', '/keys/k/', new URL(kid).pathname]) {
      const post = (word: string, body: unknown) => world.call('POST', `${origin}${form}/${word}`, body)
      const get = await world.call('GET', `${origin}${form}`)
      expect([get.status, get.json.key.kid]).toEqual([200, kid])
      expect((await world.call('PATCH', `${origin}${form}`, { tags: { form } })).json.tags).toEqual({ form })
      for (const [close, reopen] of kinds) {
        const sealed = await post(close, { alg: 'RSA-OAEP-256', value: 'AAAA' })
        expect(sealed.json.kid).toBe(kid)
        const opened = await post(reopen, { alg: 'RSA-OAEP-256', value: sealed.json.value })
        expect(opened.json).toMatchObject({ kid, value: 'AAAA' })
      }
      const signed = await post('sign', { alg: 'PS256', value: digest })
      expect(signed.json.kid).toBe(kid)
      expect((await post('verify', { alg: 'PS256', digest, value: signed.json.value })).json.value).toBe(true)
      // Without exportability it is refused, and not for its path.
      expect((await post('release', { target: 'a.b.c' })).status).toBe(403)
      const attested = await world.call('GET', `${origin}${form}/attestation?api-version=7.6`)
      expect([attested.status, attested.json.key.kid]).toEqual([200, kid])
    }
  })
})

it("the challenge's first path segment is the tenant, and the only one: other emulators name a path of their own", async () => {
  for (const origin of BOTH) {
    const answer = await world.fetch(`${origin}/keys?api-version=7.6`)
    const challenge = answer.headers.get('www-authenticate') ?? ''
    // Go splits on blanks and then on the equals sign; JavaScript on a comma and a blank.
    expect(challenge.startsWith('Bearer ')).toBe(true)
    const parameters = Object.fromEntries(
      challenge
        .slice('Bearer '.length)
        .split(', ')
        .map((pair) => pair.split('='))
        .map(([name, value]) => [name, value?.replaceAll('"', '')]),
    )
    expect(Object.keys(parameters)).toEqual(['authorization', 'resource'])
    expect(new URL(parameters.authorization ?? '').pathname).toBe(`/${world.ctx.seed.tenantId}`)
    expect(`.${new URL(origin).host}`.endsWith(`.${new URL(parameters.resource ?? '').host}`)).toBe(true)
  }
})

it.each(BOTH)('a token claim true meets the "true" of a policy: other emulators compare types: %s', async (origin) => {
  const policy = {
    version: '1.0.0',
    anyOf: [{ authority: AUTHORITY, allOf: [{ claim: 'sdk-test', equals: 'true' }] }],
  }
  await world.call('POST', `${origin}/keys/k/create`, {
    kty: 'RSA-HSM',
    attributes: { exportable: true },
    release_policy: { data: Buffer.from(JSON.stringify(policy)).toString('base64url') },
  })
  const release = async (claims: Record<string, unknown>) => {
    const target = await world.issuer.sign(claims)
    return (await world.call('POST', `${origin}/keys/k/release`, { target })).status
  }
  expect(await release({ 'sdk-test': true })).toBe(200)
  expect(await release({ 'sdk-test': false })).toBe(403)
})

it.each(BOTH)(
  'a disabled key is deleted, read as deleted, recovered and purged: other emulators refuse: %s',
  async (origin) => {
    const made = await world.call('POST', `${origin}/keys/k/create`, { kty: 'EC', attributes: { enabled: false } })
    expect(made.json.attributes.enabled).toBe(false)
    expect((await world.call('GET', `${origin}/keys/k`)).status).toBe(200)
    expect((await world.call('DELETE', `${origin}/keys/k`)).json.attributes.enabled).toBe(false)
    expect((await world.call('GET', `${origin}/deletedkeys/k`)).json.attributes.enabled).toBe(false)
    expect((await world.call('POST', `${origin}/deletedkeys/k/recover`)).json).toEqual(made.json)
    const refused = await world.call('POST', `${origin}/keys/k/sign`, { alg: 'ES256', value: 'AAAA' })
    expect([refused.status, refused.json.error.message]).toEqual([
      403,
      expect.stringMatching(/^Operation sign is not allowed on a disabled key\./),
    ])
    await world.call('DELETE', `${origin}/keys/k`)
    expect((await world.call('DELETE', `${origin}/deletedkeys/k`)).status).toBe(204)
    expect((await world.call('GET', `${origin}/deletedkeys/k`)).status).toBe(404)
  },
)

it.each(BOTH)('created and updated survive backup and restore: other emulators set them anew: %s', async (origin) => {
  const made = await world.call('POST', `${origin}/keys/k/create`, { kty: 'EC', tags: { a: 'b' } })
  await world.clock.advance(60_000)
  const changed = await world.call('PATCH', `${origin}/keys/k`, { tags: { a: 'c' } })
  expect(changed.json.attributes.updated - made.json.attributes.created).toBe(60)
  const backup = await world.call('POST', `${origin}/keys/k/backup`)
  await world.call('DELETE', `${origin}/keys/k`)
  await world.call('DELETE', `${origin}/deletedkeys/k`)
  await world.clock.advance(60_000)
  expect((await world.call('POST', `${origin}/keys/restore`, backup.json)).json).toEqual(changed.json)
})

it('an import of kty RSA with Hsm true is an RSA-HSM key of a premium vault: other emulators keep it in software', async () => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const key = privateKey.export({ format: 'jwk' })
  for (const [hsm, kty] of [
    [{ Hsm: true }, 'RSA-HSM'],
    [{ hsm: true }, 'RSA-HSM'],
    [{ Hsm: false }, 'RSA'],
    [{}, 'RSA'],
  ] as const) {
    expect((await world.call('PUT', `${VAULT}/keys/k`, { ...hsm, key })).json.key).toMatchObject({ kty, n: key.n })
  }
  expect((await world.call('PUT', `${MANAGED_HSM}/keys/k`, { key })).json.key.kty).toBe('RSA-HSM')
})

describe('P-256K is created, imported, signs and verifies: other emulators have no such curve', () => {
  it.each(BOTH)('%s', async (origin) => {
    const created = await world.call('POST', `${origin}/keys/made/create`, { kty: 'EC-HSM', crv: 'P-256K' })
    expect(created.json.key).toMatchObject({ kty: 'EC-HSM', crv: 'P-256K' })
    const jwk = generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey.export({ format: 'jwk' })
    const brought = await world.call('PUT', `${origin}/keys/brought`, { key: { ...jwk, crv: 'P-256K' } })
    expect(brought.json.key).toMatchObject({ crv: 'P-256K', x: jwk.x, y: jwk.y })
    for (const name of ['made', 'brought']) {
      const value = Buffer.alloc(32, 3).toString('base64url')
      const signed = await world.call('POST', `${origin}/keys/${name}/sign`, { alg: 'ES256K', value })
      const body = { alg: 'ES256K', digest: value, value: signed.json.value }
      expect((await world.call('POST', `${origin}/keys/${name}/verify`, body)).json.value).toBe(true)
    }
  })
})

it('RSA-HSM and EC-HSM live in a premium vault: other emulators refuse them, or call them RSA and EC', async () => {
  for (const kty of ['RSA-HSM', 'EC-HSM']) {
    const { status, json } = await world.call('POST', `${VAULT}/keys/${kty}/create?api-version=7.6`, { kty })
    expect([status, json.key.kty, json.attributes.hsmPlatform]).toEqual([200, kty, '2'])
  }
})
