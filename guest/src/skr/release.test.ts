import { randomBytes } from 'node:crypto'
import { HttpResponse, http } from 'msw'
import { setupServer } from 'msw/node'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createCertificateCache } from '../attest/certificates.ts'
import type { AttestationContext } from '../attest/evidence.ts'
import { type AzureOptions, azure, KEY_ID, MAA_HOST } from '../testing/azure.ts'
import { certificationOf, deviceWith, NEWER_TCB, TCB } from '../testing/chip.ts'
import { root, VAULT_HOST } from '../testing/vault.ts'
import { type ReleaseKeyOptions, releaseKey } from './release.ts'
import { trustStoreOf } from './trust-store.ts'
import { createWrappingKeys } from './wrapping-key.ts'

const server = setupServer()
beforeAll(() => server.listen({ onUnhandledFrame: 'error' }))
afterEach(() => server.resetHandlers())
afterAll(() => server.close())

const secret = randomBytes(32)
const trust = trustStoreOf([root.pem])

function guest(options: { device?: ReturnType<typeof deviceWith> } = {}) {
  const context: AttestationContext = {
    device: async () => options.device ?? deviceWith(TCB),
    certificates: createCertificateCache({ initial: certificationOf(TCB) }),
    uvmEndorsements: [new Uint8Array([1, 2, 3])],
  }
  return (more: Partial<ReleaseKeyOptions> = {}) =>
    releaseKey(context, {
      maaEndpoint: MAA_HOST,
      akvEndpoint: VAULT_HOST,
      kid: 'k',
      accessToken: 'an-access-token',
      trust,
      ...more,
    })
}

function world(options: Partial<AzureOptions> = {}) {
  const { handlers, seen } = azure({ plaintext: secret, ...options })
  server.use(...handlers)
  return seen
}

describe('a release', () => {
  it('attests a wrapping key of its own and gives the key that the vault wrapped for it', async () => {
    const seen = world()
    const released = await guest()()
    expect(released.kid).toBe(KEY_ID)
    expect(released.jwk).toEqual({ kty: 'oct', k: secret.toString('base64url') })
    expect(released.keyObject.export()).toEqual(secret)
    expect(seen.vault).toMatchObject([
      {
        authorization: 'Bearer an-access-token',
        kid: '/keys/k/release',
        search: '?api-version=7.4',
        body: { enc: 'CKM_RSA_AES_KEY_WRAP' },
      },
    ])
    expect(JSON.parse(seen.maa[0]!.runtimeData).keys).toMatchObject([{ kty: 'RSA', key_ops: ['encrypt'] }])
    expect(seen.maa[0]!.nonce).toMatch(/^\d+$/)
  })

  it('attests another wrapping key each time', async () => {
    const seen = world()
    const release = guest()
    await Promise.all([release(), release()])
    const kids = seen.maa.map(({ runtimeData }) => JSON.parse(runtimeData).keys[0].kid)
    expect(new Set(kids).size).toBe(2)
  })

  it.each(['RSA_AES_KEY_WRAP_256', 'RSA_AES_KEY_WRAP_384'] as const)('may ask for %s', async (enc) => {
    const seen = world()
    await expect(guest()({ enc })).resolves.toMatchObject({ kid: KEY_ID })
    expect(seen.vault[0]!.body.enc).toBe(enc)
  })

  it('of a version asks for that version', async () => {
    const seen = world()
    await guest()({ kid: 'k/0123456789abcdef0123456789abcdef' })
    expect(seen.vault[0]!.kid).toBe('/keys/k/0123456789abcdef0123456789abcdef/release')
  })

  it('takes its token from the identity it is given, for the resource of the vault', async () => {
    const seen = world()
    const scopes: string[] = []
    const credential = {
      getToken: async (scope: string) => {
        scopes.push(scope)
        return { token: 'from-identity' }
      },
    }
    await guest()({ accessToken: '', credential })
    expect(scopes).toEqual(['https://vault.azure.net/.default'])
    expect(seen.vault[0]!.authorization).toBe('Bearer from-identity')
  })

  it('takes its token from the managed identity of the container', async () => {
    const seen = world()
    await guest()({ accessToken: '' })
    expect(seen.imds[0]!.get('resource')).toBe('https://vault.azure.net')
    expect(seen.vault[0]!.authorization).toBe('Bearer imds-token')
  })
})

describe('a release that ends early', () => {
  it('says that it has ended with its wrapping key, as one does that ends well: then keys for later are made', async () => {
    const stock = createWrappingKeys({ size: 0 })
    let over = 0
    const wrappingKeys = { take: () => stock.take(), done: () => (over += 1) }
    world()
    await guest()({ wrappingKeys })
    expect(over).toBe(1)
    await expect(guest({ device: deviceWith(NEWER_TCB) })({ wrappingKeys })).rejects.toThrow()
    expect(over).toBe(2)
  })

  it('asks neither MAA nor the vault when report and certificates disagree', async () => {
    const seen = world()
    await expect(guest({ device: deviceWith(NEWER_TCB) })()).rejects.toMatchObject({ code: 'ERR_TCB_MISMATCH' })
    expect(seen).toMatchObject({ maa: [], vault: [], imds: [] })
  })

  it('asks no vault when MAA refuses, and says what it said', async () => {
    const seen = world()
    server.use(
      http.post(`https://${MAA_HOST}/attest/SevSnpVM`, () =>
        HttpResponse.json({ error: { code: 'PolicyEvaluationError', message: 'Deny' } }, { status: 400 }),
      ),
    )
    await expect(guest()()).rejects.toMatchObject({
      code: 'ERR_UPSTREAM_STATUS',
      status: 400,
      upstreamCode: 'PolicyEvaluationError',
      message: expect.stringContaining(MAA_HOST),
    })
    expect(seen.vault).toEqual([])
  })

  it("gives the vault's own words when it answers 403", async () => {
    world()
    const error = {
      code: 'Forbidden',
      message: 'Target environment attestation does not meet key release policy requirements',
    }
    server.use(http.post(`https://${VAULT_HOST}/keys/*`, () => HttpResponse.json({ error }, { status: 403 })))
    await expect(guest()()).rejects.toMatchObject({
      status: 403,
      upstreamMessage: error.message,
      message: expect.stringContaining('403 Forbidden: Target environment'),
    })
  })

  it('follows no redirect: the token is for the host that was named', async () => {
    world()
    server.use(
      http.post(`https://${VAULT_HOST}/keys/*`, () => HttpResponse.redirect('https://elsewhere.example/', 307)),
    )
    await expect(guest()()).rejects.toMatchObject({ code: 'ERR_UPSTREAM_UNREACHABLE' })
  })

  it('tells who could not be reached', async () => {
    world()
    server.use(http.post(`https://${MAA_HOST}/attest/SevSnpVM`, () => HttpResponse.error()))
    await expect(guest()()).rejects.toMatchObject({ code: 'ERR_UPSTREAM_UNREACHABLE', service: `MAA ${MAA_HOST}` })
  })

  it('needs a token', async () => {
    world()
    const credential = {
      getToken: () => Promise.reject(new Error('no identity is assigned\nTrace: eyJhbGciOiJub25lIn0.e30.')),
    }
    await expect(guest()({ accessToken: '', credential })).rejects.toMatchObject({
      code: 'ERR_IDENTITY',
      message: expect.stringMatching(/no identity is assigned$/),
    })
  })

  it.each([
    ['kid', { kid: '../secrets/x' }],
    ['kid', { kid: 'k?x=1' }],
    ['akv_endpoint', { akvEndpoint: 'contoso.vault.azure.net/keys' }],
    ['akv_endpoint', { akvEndpoint: 'http://contoso.vault.azure.net' }],
    ['maa_endpoint', { maaEndpoint: 'user@contoso' }],
  ])('is refused for a %s that is none', async (field, more) => {
    world()
    await expect(guest()(more)).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT', field })
  })
})

describe('an answer of the vault', () => {
  it('whose chain is not trusted is refused', async () => {
    world()
    await expect(guest()({ trust: trustStoreOf([]) })).rejects.toMatchObject({ code: 'ERR_RELEASE_CHAIN' })
  })

  it.each<[string, NonNullable<AzureOptions['payload']>]>([
    [
      'with the nonce of another request',
      (payload) => ({ ...payload, request: { ...payload.request, nonce: 'another' } }),
    ],
    [
      'made with another enc',
      (payload) => ({ ...payload, request: { ...payload.request, enc: 'RSA_AES_KEY_WRAP_384' } }),
    ],
    [
      'to a request for another key',
      (payload) => ({ ...payload, request: { ...payload.request, kid: `https://${VAULT_HOST}/keys/other` } }),
    ],
    [
      'of another vault',
      (payload) => ({ ...payload, request: { ...payload.request, kid: 'https://other.vault.azure.net/keys/k' } }),
    ],
    [
      'with another key',
      (payload) => ({
        ...payload,
        response: { key: { key: { ...payload.response.key.key, kid: `https://${VAULT_HOST}/keys/kk/1` } } },
      }),
    ],
    ['that holds no key', () => ({ request: {} })],
  ])('%s is refused', async (_what, payload) => {
    world({ payload })
    await expect(guest()()).rejects.toMatchObject({ code: 'ERR_RELEASE_PAYLOAD' })
  })

  it('that is no released key at all is refused', async () => {
    world()
    server.use(http.post(`https://${VAULT_HOST}/keys/*`, () => HttpResponse.json({ value: 7 })))
    await expect(guest()()).rejects.toMatchObject({ code: 'ERR_UPSTREAM_BODY' })
  })
})
