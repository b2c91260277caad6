import { createHash, createPublicKey, createSecretKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import type { TokenCredential } from '@azure/core-auth'
import { KeyClient, type KeyVaultKey } from '@azure/keyvault-keys'
import { beforeEach, describe, expect, it } from 'vitest'
import {
  AUTHORITY,
  createVaultWorld,
  MANAGED_HSM,
  VAULT,
  type VaultWorld,
} from '../../emulator/src/keyvault/test-vaults.ts'
import { openRelease, type Unwrap, unwrapByNode, unwrapByOpenssl, withoutOpenssl } from '../support/released-key.ts'
import { sdkHttpClient } from '../support/sdk-http-client.ts'

/*
 * What a vault and a managed HSM release, for every kind of key, under every way of wrapping and every version of the API:
 * made and released by the official client, opened by Node and by the command line of OpenSSL.
 */

const UNWRAPS: [name: string, unwrap: Unwrap][] = [['node:crypto', unwrapByNode]]
const noOpenssl = withoutOpenssl()
if (noOpenssl === undefined) UNWRAPS.push(['openssl', unwrapByOpenssl])
else process.stderr.write(`Released keys are not unwrapped by OpenSSL: ${noOpenssl}.\n`)

const ENCS = ['CKM_RSA_AES_KEY_WRAP', 'RSA_AES_KEY_WRAP_256', 'RSA_AES_KEY_WRAP_384'] as const

const POLICY = {
  version: '1.0.0',
  anyOf: [{ authority: AUTHORITY, allOf: [{ claim: 'x-ms-sevsnpvm-is-debuggable', equals: 'false' }] }],
}
const RELEASABLE = { exportable: true, releasePolicy: { encodedPolicy: Buffer.from(JSON.stringify(POLICY)) } }

let world: VaultWorld
beforeEach(() => {
  world = createVaultWorld()
})

const credential: TokenCredential = {
  async getToken(scope) {
    const audience = String(scope).replace('/.default', '')
    return { token: await world.token(audience), expiresOnTimestamp: Number.MAX_SAFE_INTEGER }
  },
}
const clientOf = (url: string, serviceVersion = '2025-07-01') =>
  new KeyClient(url, credential, { httpClient: sdkHttpClient((request) => world.fetch(request)), serviceVersion })

/** The private keys that are brought to the vaults; making one of 4096 bits takes seconds. */
const rsaKeys = new Map<number, KeyObject>()
function rsaKey(modulusLength: number): KeyObject {
  const known = rsaKeys.get(modulusLength) ?? generateKeyPairSync('rsa', { modulusLength }).privateKey
  rsaKeys.set(modulusLength, known)
  return known
}
const CURVES = { 'P-256': 'P-256', 'P-384': 'P-384', 'P-521': 'P-521', 'P-256K': 'secp256k1' } as const
const ecKey = (curve: keyof typeof CURVES) => generateKeyPairSync('ec', { namedCurve: CURVES[curve] }).privateKey

const BYTES = new Set(['n', 'e', 'd', 'p', 'q', 'dp', 'dq', 'qi', 'x', 'y', 'k'])

/** A JWK as the client wants it: numbers in bytes. */
function bring(client: KeyClient, name: string, key: KeyObject, crv?: string): Promise<KeyVaultKey> {
  const jwk = key.export({ format: 'jwk' })
  const entries = Object.entries(jwk).map(([member, value]) => [
    member,
    BYTES.has(member) ? Buffer.from(String(value), 'base64url') : value,
  ])
  const named = crv === undefined ? {} : { crv }
  return client.importKey(
    name,
    { ...Object.fromEntries(entries), ...named },
    { hardwareProtected: true, ...RELEASABLE },
  )
}

/** Opens a release with every program there is, which must agree. */
async function opened(value: string) {
  const release = await openRelease(value)
  const [first, ...others] = UNWRAPS.map(([, unwrap]) => unwrap(release, world.issuer.wrapping.privateKey))
  for (const other of others) expect(other).toEqual(first)
  return { ...release, plaintext: first! }
}

const pkcs8 = (key: KeyObject) => key.export({ type: 'pkcs8', format: 'der' })
const wrappedLength = (plaintext: number) => 256 + 8 + Math.ceil(plaintext / 8) * 8

describe.each([
  ['a vault', VAULT],
  ['a managed HSM', MANAGED_HSM],
])('%s releases', (_, url) => {
  it.each([
    [2048, 1488],
    [3072, 2064],
    [4096, 2640],
  ])(
    'an RSA key of %i bits in about %i bytes, and it is the one that was brought',
    { timeout: 60_000 },
    async (size, bytes) => {
      const client = clientOf(url)
      const key = rsaKey(size)
      await bring(client, 'k', key)
      const { value } = await client.releaseKey('k', await world.issuer.sign())
      const { plaintext, ciphertext, payload } = await opened(value)
      expect(plaintext).toEqual(pkcs8(key))
      expect(ciphertext).toHaveLength(wrappedLength(plaintext.length))
      expect(Math.abs(ciphertext.length - bytes)).toBeLessThanOrEqual(8)
      const { n, e } = key.export({ format: 'jwk' })
      expect(payload.response.key.key).toMatchObject({ kty: 'RSA', n, e })
      expect(payload.response.key.key).not.toHaveProperty('d')
    },
  )

  it.each<[keyof typeof CURVES, number]>([
    ['P-256', 408],
    ['P-384', 456],
    ['P-521', 512],
    ['P-256K', 400],
  ])('an EC key on %s in %i bytes, with its public point', async (curve, bytes) => {
    const client = clientOf(url)
    const key = ecKey(curve)
    await bring(client, 'k', key, curve)
    const { value } = await client.releaseKey('k', await world.issuer.sign())
    const { plaintext, ciphertext, payload } = await opened(value)
    expect(plaintext).toEqual(pkcs8(key))
    expect(ciphertext).toHaveLength(bytes)
    const { x, y } = key.export({ format: 'jwk' })
    expect(payload.response.key.key).toMatchObject({ kty: 'EC', crv: curve, x, y })
  })

  it.each(ENCS)('under %s, which it names where a client looks for it', async (enc) => {
    const client = clientOf(url)
    await client.createEcKey('k', { curve: 'P-384', hsm: true, ...RELEASABLE })
    const { value } = await client.releaseKey('k', await world.issuer.sign(), { algorithm: enc })
    const { payload, keyHsm } = await opened(value)
    expect(payload.request.enc).toBe(enc)
    expect(keyHsm).toMatchObject({
      schema_version: '1.0',
      header: { alg: 'dir', enc, kid: world.issuer.wrapping.kid },
    })
  })

  it.each(['7.3', '7.4', '7.5', '7.6', '2025-07-01', '2026-04-01'])(
    'what a GET shows, under %s',
    async (apiVersion) => {
      const made = await world.call('POST', `${url}/keys/k/create?api-version=${apiVersion}`, {
        kty: 'RSA-HSM',
        attributes: { exportable: true },
        release_policy: { data: Buffer.from(JSON.stringify(POLICY)).toString('base64url') },
      })
      const path = `${url}/keys/k/release?api-version=${apiVersion}`
      const answer = await world.call('POST', path, { target: await world.issuer.sign() })
      const { payload } = await opened(answer.json.value)
      expect(payload.request).toEqual({ 'api-version': apiVersion, enc: 'CKM_RSA_AES_KEY_WRAP', kid: `${url}/keys/k` })
      const { key, attributes } = payload.response.key
      expect(attributes).toEqual(made.json.attributes)
      expect('hsmPlatform' in attributes).toBe(url === VAULT && apiVersion !== '7.3' && apiVersion !== '7.4')
      const { key_hsm: _, kty, ...rest } = key
      expect({ ...rest, kty: `${kty}-HSM` }).toEqual(made.json.key)
    },
  )

  it('a version by its number, and says so; the newest where none was asked for', async () => {
    const client = clientOf(url)
    const first = await client.createEcKey('k', { hsm: true, ...RELEASABLE })
    const second = await client.createEcKey('k', { hsm: true })
    const target = await world.issuer.sign()
    const old = await opened((await client.releaseKey('k', target, { version: first.properties.version! })).value)
    const current = await opened((await client.releaseKey('k', target)).value)
    expect([old.payload.request.kid, old.payload.response.key.key.kid]).toEqual([first.id, first.id])
    expect([current.payload.request.kid, current.payload.response.key.key.kid]).toEqual([`${url}/keys/k`, second.id])
    for (const [{ plaintext }, key] of [
      [old, first],
      [current, second],
    ] as const) {
      const { x } = createPublicKey({ key: plaintext, format: 'der', type: 'pkcs8' } as never).export({ format: 'jwk' })
      expect(x).toBe(Buffer.from(key.key!.x!).toString('base64url'))
    }
  })

  it('with the nonce of the caller at the end of the request, or without any', async () => {
    const client = clientOf(url)
    await client.createEcKey('k', { hsm: true, ...RELEASABLE })
    const target = await world.issuer.sign()
    const nonce = 'any text, “as it is”'
    const fresh = await openRelease((await client.releaseKey('k', target, { nonce })).value)
    expect(fresh.payload.request.nonce).toBe(nonce)
    expect(Object.keys(fresh.payload.request).at(-1)).toBe('nonce')
    expect((await openRelease((await client.releaseKey('k', target)).value)).payload.request).not.toHaveProperty(
      'nonce',
    )
  })

  it('each time under a new key-encryption key', async () => {
    const client = clientOf(url)
    await client.createEcKey('k', { hsm: true, ...RELEASABLE })
    const target = await world.issuer.sign()
    const [one, two] = [await client.releaseKey('k', target), await client.releaseKey('k', target)]
    expect((await openRelease(one.value)).ciphertext).not.toEqual((await openRelease(two.value)).ciphertext)
  })

  it('to a wrapping key of 3072 bits, or 4096', { timeout: 60_000 }, async () => {
    const client = clientOf(url)
    const key = ecKey('P-256')
    await bring(client, 'k', key, 'P-256')
    for (const size of [3072, 4096]) {
      const jwk = createPublicKey(rsaKey(size)).export({ format: 'jwk' })
      const target = await world.issuer.sign({ 'x-ms-runtime': { keys: [{ ...jwk, kid: 'large', use: 'enc' }] } })
      const release = await openRelease((await client.releaseKey('k', target)).value)
      expect(release.ciphertext).toHaveLength(size / 8 + 152)
      for (const [, unwrap] of UNWRAPS) expect(unwrap(release, rsaKey(size))).toEqual(pkcs8(key))
    }
  })
})

describe('a managed HSM releases', () => {
  it.each([
    [16, 280],
    [32, 296],
    [64, 328],
  ])('a symmetric key of %i bytes as it is, in %i', async (size, bytes) => {
    const client = clientOf(MANAGED_HSM)
    const k = Buffer.from(Array.from({ length: size }, (_, index) => (7 * index + 1) % 256))
    await client.importKey('k', { kty: 'oct-HSM', k }, { hardwareProtected: true, ...RELEASABLE })
    const { value } = await client.releaseKey('k', await world.issuer.sign())
    const { plaintext, ciphertext, payload } = await opened(value)
    expect(plaintext).toEqual(k)
    expect(ciphertext).toHaveLength(bytes)
    const { kty, kid, key_ops, key_hsm, ...rest } = payload.response.key.key
    expect([kty, rest]).toEqual(['oct', {}])
    expect(value).not.toContain(createSecretKey(k).export({ format: 'jwk' }).k)
  })
})

describe('the signature of a release', () => {
  it.each([
    ['a vault', VAULT, 'skerry.vault.azure.net', ['alg', 'kid', 'x5t', 'typ', 'x5t#S256', 'x5c']],
    ['a managed HSM', MANAGED_HSM, 'skerry.managedhsm.azure.net', ['alg', 'kid', 'x5c', 'x5t#S256']],
  ])('of %s is by a certificate of its name, whose chain ends in its own root', async (_, url, host, members) => {
    const client = clientOf(url)
    await client.createEcKey('k', { hsm: true, ...RELEASABLE })
    const { header, chain } = await openRelease((await client.releaseKey('k', await world.issuer.sign())).value)
    expect(Object.keys(header)).toEqual(members)
    const digest = (name: string) => createHash(name).update(chain[0]!.raw)
    expect(header['x5t#S256']).toBe(digest('sha256').digest('base64url'))
    if (url === VAULT) {
      expect(header).toMatchObject({ kid: digest('sha1').digest('hex').toUpperCase(), typ: 'JWT' })
      expect(header.x5t).toBe(digest('sha1').digest('base64url'))
    } else expect(header.kid).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
    expect(chain[0]!.checkHost(host)).toBeDefined()
    expect(chain[0]!.publicKey.asymmetricKeyDetails).toMatchObject({ modulusLength: 2048 })
    for (const [index, certificate] of chain.entries()) {
      expect(certificate.verify((chain[index + 1] ?? certificate).publicKey)).toBe(true)
    }
    expect(chain.at(-1)!.toString()).toBe(world.ctx.authority.rootPem.trim().concat('\n'))
  })
})
