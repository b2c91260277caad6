import { createCipheriv, generateKeyPairSync, publicEncrypt, randomBytes } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import { OPENSSL, openssl } from './interop/openssl.ts'
import { publicKeyOf, publicKeyPem } from './interop/public-key.ts'
import { type Answer, createVaultWorld, MANAGED_HSM, STANDARD_VAULT, VAULT, type VaultWorld } from './test-vaults.ts'

/** Key exchange keys take long to make and hold no state: one world for what only reads. */
let world: VaultWorld
beforeEach(async () => {
  world = createVaultWorld()
  for (const origin of [VAULT, MANAGED_HSM]) {
    expect((await createKek(origin)).json.key).toMatchObject({ kty: 'RSA-HSM', key_ops: ['import'] })
  }
})
const createKek = (origin: string, more: object = {}, name = 'kek') =>
  world.call('POST', `${origin}/keys/${name}/create`, { kty: 'RSA-HSM', key_ops: ['import'], ...more })
const kek = async (origin: string) => (await world.call('GET', `${origin}/keys/kek`)).json.key

interface Blob {
  readonly [member: string]: unknown
}
const blobOf = (kid: string, ciphertext: Buffer): Blob => ({
  schema_version: '1.0.0',
  header: { kid, alg: 'dir', enc: 'CKM_RSA_AES_KEY_WRAP' },
  ciphertext: ciphertext.toString('base64url'),
  generator: 'a test',
})
const put = (origin: string, kty: string, blob: unknown, more: object = {}): Promise<Answer> =>
  world.call('PUT', `${origin}/keys/brought`, {
    key: { kty, key_hsm: Buffer.from(JSON.stringify(blob)).toString('base64url'), ...more },
  })

/** As the vendor's tool does, with the runtime's own OpenSSL. */
function wrap(kekKey: Parameters<typeof publicKeyOf>[0], plaintext: Buffer): Buffer {
  const aes = randomBytes(32)
  const cipher = createCipheriv('id-aes256-wrap-pad', aes, Buffer.from('a65959a6', 'hex'))
  const wrapped = Buffer.concat([cipher.update(plaintext), cipher.final()])
  return Buffer.concat([publicEncrypt({ key: publicKeyOf(kekKey), oaepHash: 'sha1' }, aes), wrapped])
}
const pkcs8 = (key: ReturnType<typeof generateKeyPairSync>['privateKey']) =>
  (key as { export(options: object): Buffer }).export({ type: 'pkcs8', format: 'der' })
const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve })
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })

describe.skipIf(!OPENSSL.usable)(`a key that the openssl command line wrapped (skipped where it is absent)`, () => {
  it.each([VAULT, MANAGED_HSM])('is taken in and signs: %s', async (origin) => {
    const exchange = await kek(origin)
    const aes = randomBytes(32)
    const wrappedAes = openssl({ kek: publicKeyPem(exchange), in: aes }, (path) => [
      ...['pkeyutl', '-encrypt', '-pubin', '-inkey', path('kek'), '-pkeyopt', 'rsa_padding_mode:oaep'],
      ...['-pkeyopt', 'rsa_oaep_md:sha1', '-in', path('in'), '-out', path('out')],
    ])
    const wrapped = openssl({ in: pkcs8(rsa.privateKey) }, (path) => [
      ...['enc', '-id-aes256-wrap-pad', '-iv', 'A65959A6', '-K', aes.toString('hex')],
      ...['-in', path('in'), '-out', path('out')],
    ])
    const answer = await put(origin, 'RSA-HSM', blobOf(exchange.kid, Buffer.concat([wrappedAes, wrapped])))
    expect(answer.status).toBe(200)
    expect(answer.json.key).toMatchObject({ kty: 'RSA-HSM', n: rsa.publicKey.export({ format: 'jwk' }).n })
    expect(answer.json.key).not.toHaveProperty('key_hsm')
    const sealed = await world.call('POST', `${origin}/keys/brought/encrypt`, { alg: 'RSA-OAEP-256', value: 'AAAA' })
    expect(
      (await world.call('POST', `${origin}/keys/brought/decrypt`, { alg: 'RSA-OAEP-256', value: sealed.json.value }))
        .json.value,
    ).toBe('AAAA')
  })
})

describe('a transferred key', () => {
  it.each(['P-256', 'P-384', 'P-521', 'P-256K'])('on the curve %s is taken in by both', async (crv) => {
    const { privateKey, publicKey } = ec(crv === 'P-256K' ? 'secp256k1' : crv)
    for (const origin of [VAULT, MANAGED_HSM]) {
      const exchange = await kek(origin)
      const answer = await put(origin, 'EC-HSM', blobOf(exchange.kid, wrap(exchange, pkcs8(privateKey))), { crv })
      expect(answer.json.key).toMatchObject({ kty: 'EC-HSM', crv, x: publicKey.export({ format: 'jwk' }).x })
    }
  })

  it('may be symmetric on a managed HSM', async () => {
    const exchange = await kek(MANAGED_HSM)
    const secret = randomBytes(32)
    const answer = await put(MANAGED_HSM, 'oct-HSM', blobOf(exchange.kid, wrap(exchange, secret)))
    expect(answer.json.key.kty).toBe('oct-HSM')
    const wrapped = await world.call('POST', `${MANAGED_HSM}/keys/brought/wrapkey`, {
      alg: 'A256KW',
      value: Buffer.alloc(16).toString('base64url'),
    })
    const cipher = createCipheriv('id-aes256-wrap', secret, Buffer.alloc(8, 0xa6))
    const expected = Buffer.concat([cipher.update(Buffer.alloc(16)), cipher.final()])
    expect(wrapped.json.value).toBe(expected.toString('base64url'))
  })

  it('may be wrapped for an older version of the key exchange key', async () => {
    const old = await kek(VAULT)
    await createKek(VAULT)
    const answer = await put(VAULT, 'RSA-HSM', blobOf(old.kid, wrap(old, pkcs8(rsa.privateKey))))
    expect(answer.status).toBe(200)
  })
})

describe('a key transfer blob is refused, in words that name what is wrong,', () => {
  const refused = async (answer: Answer, message: string) => {
    expect([answer.status, answer.json.error.code]).toEqual([400, 'BadParameter'])
    expect(answer.json.error.message).toContain(message)
  }

  it.each([
    ['another schema', { schema_version: '2.0' }, 'schema_version has invalid value'],
    ['another algorithm', { header: { kid: 'x', alg: 'RSA-OAEP', enc: 'CKM_RSA_AES_KEY_WRAP' } }, 'header.alg'],
    ['another wrapping', { header: { kid: 'x', alg: 'dir', enc: 'A256GCM' } }, 'header.enc'],
    ['no ciphertext', { ciphertext: undefined }, 'ciphertext has invalid value'],
    ['a ciphertext that is none', { ciphertext: '%%%' }, 'key.key_hsm.ciphertext is not valid base64url'],
    ['a key exchange key that is not there', { header: headerOf(`${VAULT}/keys/no/${'0'.repeat(32)}`) }, 'not in this'],
    ['a key exchange key of another vault', { header: headerOf(`${STANDARD_VAULT}/keys/kek/x`) }, 'not in this vault'],
    ['a key exchange key without its version', { header: headerOf(`${VAULT}/keys/kek`) }, 'not in this vault'],
    ['a key exchange key that is no URL', { header: headerOf('kek') }, 'not in this vault'],
  ])('with %s', async (_, change, message) => {
    const exchange = await kek(VAULT)
    const blob = { ...blobOf(exchange.kid, wrap(exchange, pkcs8(rsa.privateKey))), ...change }
    await refused(await put(VAULT, 'RSA-HSM', blob), message)
  })

  it('that is not JSON', async () => {
    await refused(await put(VAULT, 'RSA-HSM', 'text'), 'is not the JSON of a key transfer blob')
    const key = { kty: 'RSA-HSM', key_hsm: 'AAAA' }
    await refused(await world.call('PUT', `${VAULT}/keys/brought`, { key }), 'is not the JSON')
  })

  it.each([
    [
      'of which one bit is wrong',
      (bytes: Buffer) => Buffer.concat([bytes.subarray(0, -1), Buffer.from([bytes.at(-1)! ^ 1])]),
    ],
    ['whose first half is not for this key', (bytes: Buffer) => bytes.fill(1, 0, 256)],
    ['that is too short', (bytes: Buffer) => bytes.subarray(0, 100)],
    ['of nothing', () => Buffer.alloc(0)],
  ])('%s: always the same', async (_, change) => {
    const exchange = await kek(VAULT)
    const ciphertext = change(wrap(exchange, pkcs8(rsa.privateKey)))
    await refused(await put(VAULT, 'RSA-HSM', blobOf(exchange.kid, ciphertext)), 'cannot be unwrapped')
  })

  it.each([
    ['a key of another type', 'RSA-HSM', () => pkcs8(ec('P-256').privateKey)],
    ['a curve that a vault has not', 'EC-HSM', () => pkcs8(ec('P-224').privateKey)],
    [
      'a size that a vault has not',
      'RSA-HSM',
      () => pkcs8(generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey),
    ],
    ['bytes that are no key', 'RSA-HSM', () => randomBytes(64)],
  ])('with %s in it', async (_, kty, plaintext) => {
    const exchange = await kek(VAULT)
    await refused(await put(VAULT, kty, blobOf(exchange.kid, wrap(exchange, plaintext()))), 'is not a PKCS#8 key that')
  })

  it('with a key of another curve than the request says', async () => {
    const exchange = await kek(VAULT)
    const blob = blobOf(exchange.kid, wrap(exchange, pkcs8(ec('P-256').privateKey)))
    await refused(await put(VAULT, 'EC-HSM', blob, { crv: 'P-384' }), 'Property key.crv is not the curve')
  })

  it.each([
    ['may do more than import', { key_ops: ['import', 'wrapKey'] }],
    ['is not in hardware', { kty: 'RSA' }],
  ])('for a key that %s', async (_, more) => {
    const { json } = await createKek(VAULT, more, 'other')
    const blob = blobOf(json.key.kid, wrap(json.key, pkcs8(rsa.privateKey)))
    await refused(await put(VAULT, 'RSA-HSM', blob), 'must be an RSA-HSM key whose key_ops are import and nothing else')
  })

  it('for a key exchange key that is disabled, or deleted', async () => {
    const exchange = await kek(VAULT)
    const blob = blobOf(exchange.kid, wrap(exchange, pkcs8(rsa.privateKey)))
    await world.call('PATCH', `${VAULT}/keys/kek`, { attributes: { enabled: false } })
    await refused(await put(VAULT, 'RSA-HSM', blob), 'is disabled')
    await world.call('DELETE', `${VAULT}/keys/kek`)
    await refused(await put(VAULT, 'RSA-HSM', blob), 'is not in this vault')
  })

  it('by a standard vault, which has no hardware', async () => {
    const answer = await put(STANDARD_VAULT, 'RSA-HSM', {})
    expect([answer.status, answer.json.error.message]).toEqual([
      403,
      'Hardware key operation not allowed on standard vault',
    ])
  })
})

it('a key exchange key does nothing but unwrap imports', async () => {
  const answer = await world.call('POST', `${VAULT}/keys/kek/unwrapkey`, { alg: 'RSA-OAEP', value: 'AAAA' })
  expect(answer.json.error.innererror.code).toBe('KeyOperationForbidden')
})

function headerOf(kid: string) {
  return { kid, alg: 'dir', enc: 'CKM_RSA_AES_KEY_WRAP' }
}
