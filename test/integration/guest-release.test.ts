import { createPublicKey, type JsonWebKey, sign, verify } from 'node:crypto'
import { skerryHandlers } from '@skerry/emulator/msw'
import {
  type AttestationContext,
  createAttestationContext,
  createWrappingKeys,
  type Fetch,
  type ReleaseKeyOptions,
  releaseKey,
  trustStoreOf,
  type WrappingKeys,
} from '@skerry/guest'
import type { ReleaseEnc } from '@skerry/guest/wire'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { TEST_CACHE_DIRECTORY } from '../../emulator/src/core/test-context.ts'

/*
 * Every kind of key that can be released, out of the emulated vault and managed HSM into a guest, wrapped in each way; and
 * those that are not released. In this process: no socket.
 */

const MAA = 'sharedweu.weu.attest.azure.net'
const VAULT = 'kinds.vault.azure.net'
const HSM = 'kinds-hsm.managedhsm.azure.net'
const allOf = [{ claim: 'x-ms-sevsnpvm-is-debuggable', equals: 'false' }]
const releasePolicy = { version: '1.0.0', anyOf: [{ authority: `https://${MAA}`, allOf }] }
const inVault = (name: string, more: object) => ({ vault: 'kinds', name, releasePolicy, ...more })
const inHsm = (name: string, more: object) => ({ managedHsm: 'kinds-hsm', name, releasePolicy, ...more })
const ENCS = ['CKM_RSA_AES_KEY_WRAP', 'RSA_AES_KEY_WRAP_256', 'RSA_AES_KEY_WRAP_384'] as const
const PAIRS = {
  'rsa-2048': { kty: 'RSA-HSM', keySize: 2048 },
  'p-256': { kty: 'EC-HSM', curve: 'P-256' },
  'p-256k': { kty: 'EC-HSM', curve: 'P-256K' },
  'p-384': { kty: 'EC-HSM', curve: 'P-384' },
  'p-521': { kty: 'EC-HSM', curve: 'P-521' },
}
const LARGE = { 'rsa-3072': { kty: 'RSA-HSM', keySize: 3072 }, 'rsa-4096': { kty: 'RSA-HSM', keySize: 4096 } }
const SECRETS = { 'oct-128': 128, 'oct-192': 192, 'oct-256': 256 }
const EC = { kty: 'EC-HSM', curve: 'P-256' }

const azure = skerryHandlers({
  cacheDir: TEST_CACHE_DIRECTORY,
  seedDocument: {
    vaults: [{ name: 'kinds', resourceGroup: 'tests' }],
    managedHsms: [{ name: 'kinds-hsm', resourceGroup: 'tests' }],
    localRoleAssignments: [
      { managedHsm: 'kinds-hsm', principal: 'admin', role: 'Managed HSM Crypto Service Release User', scope: '/keys' },
    ],
    keys: [
      ...Object.entries({ ...PAIRS, ...LARGE }).map(([name, more]) => inVault(name, more)),
      ...Object.entries(PAIRS).map(([name, more]) => inHsm(name, more)),
      ...Object.entries(SECRETS).map(([name, keySize]) => inHsm(name, { kty: 'oct-HSM', keySize })),
      inVault('disabled', { ...EC, enabled: false }),
      inVault('expired', { ...EC, expires: '2020-01-01T00:00:00Z' }),
      inVault('not-yet', { ...EC, notBefore: '2090-01-01T00:00:00Z' }),
    ],
  },
})

let context: AttestationContext
/** Of which key, and how it is wrapped, is the question in most of these tests: one key is enough to wrap for. */
let one: WrappingKeys
let options: Omit<ReleaseKeyOptions, 'akvEndpoint' | 'kid'>
/** Tokens that were shown to a vault. */
const shown: string[] = []

beforeAll(async () => {
  const { dispatcher, context: emulated } = await azure.emulator()
  const send = (url: string, init?: RequestInit) => dispatcher.dispatch(new Request(url, init), { door: 'process' })
  const fetch: Fetch = (url, init) => {
    if (url.includes('/release')) shown.push((JSON.parse(String(init?.body)) as { target: string }).target)
    return send(url, init)
  }
  const { tenantId, admin } = azure.seed
  const credential = {
    async getToken(scope: string) {
      const body = new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: admin.clientId,
        client_secret: admin.clientSecret,
        scope,
      })
      const answer = await send(`https://login.microsoftonline.com/${tenantId}/oauth2/v2.0/token`, {
        method: 'POST',
        body,
      })
      return { token: ((await answer.json()) as { access_token: string }).access_token }
    },
  }
  context = await createAttestationContext(await azure.guest())
  const wrappingKey = await createWrappingKeys({ size: 0 }).take()
  one = { take: async () => wrappingKey }
  options = { maaEndpoint: MAA, credential, fetch, trust: trustStoreOf([emulated.authority.rootPem]) }
})
afterAll(() => azure.close())

const release = (akvEndpoint: string, kid: string, more: Partial<ReleaseKeyOptions> = {}) =>
  releaseKey(context, { ...options, akvEndpoint, kid, wrappingKeys: one, ...more })

describe('a released key', () => {
  const pairs = [
    ...Object.keys(PAIRS).flatMap((kid) => [
      [VAULT, kid],
      [HSM, kid],
    ]),
    ...Object.keys(LARGE).map((kid) => [VAULT, kid]),
  ].map(([host, kid], index) => [host, kid, ENCS[index % ENCS.length]] as [string, string, ReleaseEnc])

  it.each(pairs)('of %s, %s, wrapped by %s, is the private half of what the answer shows', async (host, kid, enc) => {
    const { jwk, keyObject, payload, kid: url } = await release(host, kid, { enc })
    expect(url).toMatch(new RegExp(`^https://${host}/keys/${kid}/[0-9a-f]{32}$`))
    expect(payload.request.enc).toBe(enc)
    const { n, e, x, y, kty } = payload.response.key.key
    const shownKey = { kty: kty.replace('-HSM', ''), n, e, x, y, ...(x && { crv: jwk.crv }) }
    const signed = sign('sha256', Buffer.from('x'), keyObject)
    const publicKey = createPublicKey({ key: shownKey as JsonWebKey, format: 'jwk' })
    expect(verify('sha256', Buffer.from('x'), publicKey, signed)).toBe(true)
    expect(createPublicKey({ key: jwk, format: 'jwk' }).equals(publicKey)).toBe(true)
  })

  it.each(Object.entries(SECRETS))('of the HSM, %s, is a secret of so many bits', async (kid, bits) => {
    const { jwk, keyObject } = await release(HSM, kid)
    expect(jwk).toMatchObject({ kty: 'oct', k: keyObject.export().toString('base64url') })
    expect(keyObject.symmetricKeySize).toBe(bits / 8)
  })

  it('is the same however it was wrapped', async () => {
    const released = await Promise.all(ENCS.map((enc) => release(HSM, 'oct-256', { enc })))
    expect(new Set(released.map(({ jwk }) => jwk.k)).size).toBe(1)
  })

  it.each(['expired', 'not-yet'])('may be one that is %s: attestation decides, not the date', async (kid) => {
    await expect(release(VAULT, kid)).resolves.toMatchObject({ jwk: { kty: 'EC' } })
  })
})

describe('a key that is not released', () => {
  /** Keeps every key that was taken. */
  const watched = () => {
    const kids: string[] = []
    const stock = createWrappingKeys({ size: 2 })
    const wrappingKeys: WrappingKeys = {
      async take() {
        const key = await stock.take()
        kids.push(key.kid)
        return key
      },
    }
    return { kids, wrappingKeys }
  }

  it('is named with the words of the vault, and no token', async () => {
    for (const [kid, status, words] of [
      ['disabled', 403, 'disabled'],
      ['none', 404, 'KeyNotFound'],
    ] as const) {
      const error = await release(VAULT, kid).catch((thrown) => thrown)
      expect(error).toMatchObject({ code: 'ERR_UPSTREAM_STATUS', status, message: expect.stringContaining(words) })
      expect(String(error.stack)).not.toContain('eyJ')
    }
  })

  it('leaves no wrapping key that is used again: a refused vault, a refused attestation, a guest without a device', async () => {
    const { kids, wrappingKeys } = watched()
    shown.length = 0
    const silent = { ...context, device: () => Promise.reject(new Error('no device')) }
    const guest = await createAttestationContext(await azure.guest({ debug: true }))
    const fails = [
      release(VAULT, 'none', { wrappingKeys }),
      releaseKey(guest, { ...options, akvEndpoint: VAULT, kid: 'p-256', wrappingKeys }),
      releaseKey(silent, { ...options, akvEndpoint: VAULT, kid: 'p-256', wrappingKeys }),
      release(VAULT, 'p-256', { wrappingKeys, maaEndpoint: 'none.weu.attest.azure.net' }),
    ]
    const outcomes = await Promise.allSettled(fails)
    expect(outcomes.map(({ status }) => status)).toEqual(Array(4).fill('rejected'))
    await release(VAULT, 'p-256', { wrappingKeys })
    expect([kids.length, new Set(kids).size]).toEqual([5, 5])
    const attested = shown.map((token) => {
      const claims = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString())
      return claims['x-ms-runtime'].keys[0].kid as string
    })
    expect([attested.length, new Set(attested).size]).toEqual([3, 3])
    for (const kid of attested) expect(kids).toContain(kid)
  })
})
