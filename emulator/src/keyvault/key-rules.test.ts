import { generateKeyPairSync } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import { COLLECTIONS, type VaultRecord } from '../core/index.ts'
import { createVaultWorld, MANAGED_HSM, STANDARD_VAULT, VAULT, type VaultWorld } from './test-vaults.ts'

let world: VaultWorld
beforeEach(() => {
  world = createVaultWorld()
})
const BOTH = [VAULT, MANAGED_HSM]
const create = (origin: string, body: object, name = 'k') => world.call('POST', `${origin}/keys/${name}/create`, body)
const b64 = (size: number) => Buffer.alloc(size, 7).toString('base64url')

describe('types of keys', () => {
  it.each([
    ['RSA', 'RSA-HSM'],
    ['EC', 'EC-HSM'],
    ['oct', 'oct-HSM'],
    ['AES', 'oct-HSM'],
    ['oct-HSM', 'oct-HSM'],
  ])('a managed HSM stores %s as %s', async (kty, stored) => {
    expect((await create(MANAGED_HSM, { kty })).json.key.kty).toBe(stored)
  })

  it.each([
    ['RSA', ['encrypt', 'decrypt', 'sign', 'verify', 'wrapKey', 'unwrapKey'], undefined],
    ['EC', ['sign', 'verify'], ['deriveKey']],
    ['oct-HSM', undefined, ['wrapKey', 'unwrapKey', 'encrypt', 'decrypt', 'sign', 'verify', 'deriveKey']],
  ])('%s may by default do all that its type can', async (kty, ofVault, more) => {
    const hsm = (await create(MANAGED_HSM, { kty })).json.key.key_ops
    expect(hsm.toSorted()).toEqual([...(ofVault ?? []), ...(more ?? [])].toSorted())
    if (ofVault) expect((await create(VAULT, { kty, key_ops: [] })).json.key.key_ops).toEqual(ofVault)
  })

  it.each([
    ['oct-HSM', { code: 'BadParameter', message: 'Property  has invalid value\r\n' }],
    ['DSA', { code: 'BadParameter', message: 'Property  has invalid value\r\n' }],
    ['oct', { code: 'BadParameter', message: 'Invalid kty value: oct', innererror: { code: 'KeyTypeNotSupported' } }],
  ])('a vault has no %s', async (kty, error) => {
    const { status, json } = await create(VAULT, { kty })
    expect([status, json.error]).toEqual([400, error])
  })

  it.each(['RSA-HSM', 'EC-HSM'])('a standard vault has no %s, neither made nor brought', async (kty) => {
    const made = await create(STANDARD_VAULT, { kty })
    const brought = await world.call('PUT', `${STANDARD_VAULT}/keys/k`, { Hsm: true, key: { kty: 'RSA' } })
    for (const { status, json } of [made, brought]) {
      expect([status, json.error.code]).toEqual([403, 'Forbidden'])
      expect(json.error.message).toBe('Hardware key operation not allowed on standard vault')
    }
  })

  it.each(['P-256', 'P-384', 'P-521', 'P-256K'])('coordinates on %s are as long as the curve says', async (crv) => {
    const size = { 'P-256': 32, 'P-384': 48, 'P-521': 66, 'P-256K': 32 }[crv]
    for (const origin of BOTH) {
      const { key } = (await create(origin, { kty: 'EC', crv })).json
      expect([key.crv, Buffer.from(key.x, 'base64url').length, Buffer.from(key.y, 'base64url').length]).toEqual([
        crv,
        size,
        size,
      ])
    }
  })

  it.each([1024, 2047, 8192, -1, 0])('RSA keys of %i bits are not made', async (key_size) => {
    const { status, json } = await create(VAULT, { kty: 'RSA', key_size })
    expect([status, json.error]).toEqual([
      400,
      {
        code: 'BadParameter',
        message: `Unsupported key size (${key_size}). Supported sizes are [2048, 3072, 4096]`,
        innererror: { code: 'KeySizeNotSupported' },
      },
    ])
  })

  it('a curve signs with its own algorithm alone, and the refusal names both', async () => {
    const { kid } = (await create(VAULT, { kty: 'EC', crv: 'P-256K' })).json.key
    const { status, json } = await world.call('POST', `${VAULT}/keys/k/sign`, { alg: 'ES256', value: b64(32) })
    expect([status, json.error]).toEqual([
      400,
      {
        code: 'BadParameter',
        message: `Key and signing algorithm are incompatible. Key ${kid} uses curve 'P-256K', and algorithm 'ES256' can only be used with curve 'P-256'.`,
      },
    ])
  })

  it('sizes of 384 and 512 bits are for HMAC, and come with its versions of the API', async () => {
    const at = (version: string) =>
      world.call('POST', `${MANAGED_HSM}/keys/k/create?api-version=${version}`, { kty: 'oct-HSM', key_size: 512 })
    expect((await at('7.6')).json.error.message).toMatch(
      /^Unsupported key size \(512\)\. Supported sizes are \[128, 192, 256\]/,
    )
    expect((await at('2025-07-01')).json.attributes.key_size).toBe(512)
    const body = { alg: 'HS512', value: b64(64) }
    const old = await world.call('POST', `${MANAGED_HSM}/keys/k/sign?api-version=7.6`, body)
    expect([old.status, old.json.error.code]).toEqual([400, 'BadParameter'])
    expect((await world.call('POST', `${MANAGED_HSM}/keys/k/sign?api-version=2025-07-01`, body)).status).toBe(200)
  })
})

describe('imported keys', () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' })
  const bring = (origin: string, key: object) => world.call('PUT', `${origin}/keys/k`, { key })

  it.each(['d', 'p', 'q', 'dp', 'dq', 'qi', 'n', 'e'])(
    'need %s: a key of n, e and d alone does not do',
    async (name) => {
      const { [name as 'd']: _, ...rest } = rsa
      const vault = await bring(VAULT, rest)
      expect(vault.json.error).toEqual({
        code: 'BadParameter',
        message: 'The property "key" must be a valid JsonWebKey object.',
      })
      expect(world.ctx.journal.records().at(-1)?.summary).toContain(`has no ${name}; every private member is wanted`)
      expect((await bring(MANAGED_HSM, rest)).json.error.message).toMatch(
        `JSON Web Key: ${name} is missing (Activity ID:`,
      )
    },
  )

  it('whose numbers do not belong together are told so', async () => {
    for (const wrong of [{ p: rsa.q }, { dp: rsa.dq }, { qi: rsa.dp }, { d: rsa.p }, { e: 'Aw' }, { p: 'AA' }]) {
      const { status, json } = await bring(VAULT, { ...rsa, ...wrong })
      expect([status, json.error.message]).toEqual([400, 'RSA key is not valid - cannot instantiate crypto service'])
    }
  })

  it('give their modulus back as it was sent on a vault, and without its leading zero on a managed HSM', async () => {
    const n = Buffer.concat([Buffer.alloc(1), Buffer.from(rsa.n!, 'base64url')]).toString('base64url')
    expect((await bring(VAULT, { ...rsa, n })).json.key.n).toBe(n)
    expect((await bring(MANAGED_HSM, { ...rsa, n })).json.key.n).toBe(rsa.n)
  })

  it.each([16, 24, 32, 48, 64])('may be symmetric, of %i bytes', async (size) => {
    const answer = await bring(MANAGED_HSM, { kty: 'oct', k: b64(size) })
    expect(answer.json).toMatchObject({ key: { kty: 'oct-HSM' }, attributes: { key_size: size * 8 } })
    expect(answer.json.key).not.toHaveProperty('k')
  })

  it('may be symmetric, but not of 65 bytes', async () => {
    const { status, json } = await bring(MANAGED_HSM, { kty: 'oct-HSM', k: b64(65) })
    expect([status, json.error.code]).toEqual([400, 'BadParameter'])
    expect(json.error.message).toMatch(
      /^JSON Web Key: k property of oct key is too large, maximum size is 64 \(Activity ID: /,
    )
  })

  it('may be padded, in the standard alphabet, with nulls and with members that nobody knows', async () => {
    const standard = Object.fromEntries(
      Object.entries(rsa).map(([name, value]) => [
        name,
        name === 'kty' ? value : Buffer.from(String(value), 'base64url').toString('base64'),
      ]),
    )
    for (const origin of BOTH) {
      const answer = await world.call('PUT', `${origin}/keys/k`, {
        key: { ...standard, key_ops: null, key_size: 2048, kid: 'ignored', crv: null },
        attributes: {},
        tags: null,
        release_policy: null,
        Unknown: { deep: [1] },
      })
      expect([answer.status, answer.json.key.n]).toEqual([200, rsa.n])
    }
  })
})

describe('a key outside of its time', () => {
  const NOW = 1767225600

  it.each([
    ['not yet valid', { nbf: NOW + 100 }, 'KeyNotYetValid', 'a not yet valid key'],
    ['expired', { exp: NOW }, 'KeyExpired', 'a expired key'],
  ])('that is %s opens and checks, but makes nothing new', async (_, attributes, innerCode, words) => {
    await create(VAULT, { kty: 'RSA' })
    const value = b64(32)
    const alg = 'RSA-OAEP-256'
    const sealed = (await world.call('POST', `${VAULT}/keys/k/encrypt`, { alg, value })).json.value
    const signed = (await world.call('POST', `${VAULT}/keys/k/sign`, { alg: 'RS256', value })).json.value
    await world.call('PATCH', `${VAULT}/keys/k`, { attributes })
    for (const [word, body] of [
      ['decrypt', { alg, value: sealed }],
      ['unwrapkey', { alg, value: sealed }],
      ['verify', { alg: 'RS256', digest: value, value: signed }],
    ] as const) {
      expect((await world.call('POST', `${VAULT}/keys/k/${word}`, body)).status).toBe(200)
    }
    for (const [word, operation, body] of [
      ['encrypt', 'encrypt', { alg, value }],
      ['wrapkey', 'wrapKey', { alg, value }],
      ['sign', 'sign', { alg: 'RS256', value }],
    ] as const) {
      const { status, json } = await world.call('POST', `${VAULT}/keys/k/${word}`, body)
      expect([status, json.error]).toEqual([
        403,
        {
          code: 'Forbidden',
          message: `Operation ${operation} is not allowed on ${words}.`,
          innererror: { code: innerCode },
        },
      ])
    }
  })

  it.each(['encrypt', 'decrypt', 'sign', 'verify', 'wrapkey', 'unwrapkey'])(
    'that is disabled does not %s',
    async (word) => {
      for (const origin of BOTH) {
        await create(origin, { kty: 'RSA', attributes: { enabled: false } })
        const body = { alg: 'RS256', value: b64(32), digest: b64(32) }
        const { status, json } = await world.call('POST', `${origin}/keys/k/${word}`, body)
        expect([status, json.error.code]).toEqual([403, 'Forbidden'])
        expect(json.error.message).toMatch(/^Operation \w+ is not allowed on a disabled key\./)
      }
    },
  )
})

describe('limits', () => {
  const tags = (count: number, size = 1) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`${index}`, 'v'.repeat(size)]))

  it.each(BOTH)('15 tags of 256 characters are taken, one more of either is not: %s', async (origin) => {
    expect((await create(origin, { kty: 'EC', tags: tags(15, 256) })).status).toBe(200)
    for (const tooMuch of [tags(16), tags(1, 257), { ['n'.repeat(257)]: 'v' }]) {
      const { status, json } = await create(origin, { kty: 'EC', tags: tooMuch })
      expect([status, json.error.code]).toEqual([400, 'BadParameter'])
      expect((await world.call('PATCH', `${origin}/keys/k`, { tags: tooMuch })).status).toBe(400)
    }
  })

  it('a key of a managed HSM has at most 100 versions, one of a vault more', async () => {
    for (const origin of BOTH) for (let made = 0; made < 100; made++) await create(origin, { kty: 'EC' })
    const { status, json } = await create(MANAGED_HSM, { kty: 'EC' })
    expect([status, json.error.code]).toEqual([400, 'BadParameter'])
    expect((await create(VAULT, { kty: 'EC' })).status).toBe(200)
  })

  it.each(['0', '26', '-1', 'x', '1.5', ''])('maxresults=%s is refused', async (size) => {
    for (const path of ['/keys', '/deletedkeys', '/keys/k/versions']) {
      await create(VAULT, { kty: 'EC' })
      const { status, json } = await world.call('GET', `${VAULT}${path}?maxresults=${size}`)
      expect([status, json.error.code]).toEqual([400, 'BadParameter'])
    }
  })

  it.each(BOTH)('26 keys are two pages, 25 one: %s', async (origin) => {
    for (let made = 0; made < 25; made++) await create(origin, { kty: 'EC' }, `k${made}`)
    expect((await world.call('GET', `${origin}/keys`)).json.nextLink ?? null).toBeNull()
    await create(origin, { kty: 'EC' }, 'k25')
    const first = (await world.call('GET', `${origin}/keys`)).json
    const second = (await world.call('GET', first.nextLink)).json
    expect([first.value.length, second.value.length, second.nextLink ?? null]).toEqual([25, 1, null])
    const kids = [...first.value, ...second.value].map(({ kid }) => kid)
    expect(new Set(kids).size).toBe(26)
    for (const kid of kids) expect(kid).toMatch(/^https:\/\/[^/]+\/keys\/k\d+$/)
  })

  it('the token in the next link of a vault is JSON that names a marker and a location', async () => {
    for (const name of ['a', 'b']) await create(VAULT, { kty: 'EC' }, name)
    const { nextLink } = (await world.call('GET', `${VAULT}/keys?maxresults=1`)).json
    const token = new URL(nextLink).searchParams.get('$skiptoken') ?? ''
    expect(JSON.parse(Buffer.from(token, 'base64').toString())).toEqual({
      NextMarker: expect.any(String),
      TargetLocation: 0,
    })
    // Go and Python put their own version of the API into the link they follow.
    expect((await world.call('GET', nextLink.replace('7.4', '7.6'))).json.value).toHaveLength(1)
  })
})

it('the method may stand in a header of a POST', async () => {
  await create(VAULT, { kty: 'EC' })
  const authorization = `Bearer ${await world.token('https://vault.azure.net')}`
  for (const method of ['DELETE', 'get']) {
    const headers = { authorization, 'X-HTTP-METHOD': method }
    const path = method === 'DELETE' ? 'keys/k' : 'deletedkeys/k'
    const answer = await world.fetch(new Request(`${VAULT}/${path}?api-version=7.4`, { method: 'POST', headers }))
    expect([answer.status, (await answer.json()).recoveryId]).toEqual([200, `${VAULT}/deletedkeys/k`])
  }
})

describe('purge protection', () => {
  it.each(BOTH)('keeps what was deleted until its time is over: %s', async (origin) => {
    const { host } = new URL(origin)
    const vaults = world.ctx.store.collection<VaultRecord>(COLLECTIONS.vaults)
    vaults.put(host, { ...vaults.get(host)!, enablePurgeProtection: true })
    await create(origin, { kty: 'EC' })
    expect((await world.call('DELETE', `${origin}/keys/k`)).json.attributes.recoveryLevel).toBe('CustomizedRecoverable')
    const { status, json } = await world.call('DELETE', `${origin}/deletedkeys/k`)
    expect([status, json.error.code]).toEqual([403, 'Forbidden'])
    expect(json.error.message).toMatch(/^Operation "purge" is not allowed because purge protection is enabled for this/)
    await world.clock.advance(7 * 86_400_000)
    expect((await create(origin, { kty: 'EC' })).status).toBe(200)
  })
})

it('a vault does not see a path with a percent sign in it: its web server answers with a page', async () => {
  for (const name of ['a%25b', 'key%21@%23$%25', 'a%3Cb', 'a*b']) {
    const answer = await world.call('POST', `${VAULT}/keys/${name}/backup`)
    expect([answer.status, answer.headers.get('content-type')]).toEqual([400, 'text/html; charset=utf-8'])
    expect(answer.text).toMatch(/^<!DOCTYPE html>\r\n<html>/)
    expect(answer.headers.has('x-ms-request-id')).toBe(false)
    const ofHsm = await world.call('POST', `${MANAGED_HSM}/keys/${name}/backup`)
    expect(ofHsm.json.error.message).toMatch(/^Invalid key identifier or name \(Activity ID: /)
  }
})

it('what is not 32 hex digits is, on a vault, no version but the name of an operation', async () => {
  await create(VAULT, { kty: 'EC' })
  for (const method of ['GET', 'PATCH']) {
    const { status, json } = await world.call(method, `${VAULT}/keys/k/latest`, method === 'GET' ? undefined : {})
    expect([status, json.error]).toEqual([
      400,
      { code: 'BadParameter', message: `Method ${method} does not allow operation 'latest'` },
    ])
  }
  const version = '0'.repeat(32)
  expect((await world.call('GET', `${VAULT}/keys/k/${version}`)).json.error.message).toMatch(
    `A key with (name/id) k/${version} was not found in this key vault.`,
  )
})

it('a key that an external key manager holds is said not to be covered, and a vault knows of none', async () => {
  const body = { kty: 'RSA-HSM', attributes: { external_key: { id: 'theirs' } } }
  const at = async (origin: string, version: string) =>
    (await world.call('POST', `${origin}/keys/k/create?api-version=${version}`, body)).status
  expect([await at(MANAGED_HSM, '2026-04-01'), await at(MANAGED_HSM, '7.6'), await at(VAULT, '2026-04-01')]).toEqual([
    501, 200, 200,
  ])
})

it('a backup of a hardware key is not restored into a standard vault; one of a software key is', async () => {
  for (const [kty, status] of [
    ['EC-HSM', 403],
    ['EC', 200],
  ] as const) {
    await create(VAULT, { kty }, kty)
    const { json } = await world.call('POST', `${VAULT}/keys/${kty}/backup`)
    const restored = await world.call('POST', `${STANDARD_VAULT}/keys/restore`, json)
    expect([kty, restored.status]).toEqual([kty, status])
    if (status === 200) expect(restored.json.key.kid).toMatch(`${STANDARD_VAULT}/keys/EC/`)
  }
})
