import { createDecipheriv, createHmac, generateKeyPairSync } from 'node:crypto'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createVaultWorld, MANAGED_HSM, VAULT, type VaultWorld } from '../test-vaults.ts'
import { OPENSSL, openssl } from './openssl.ts'

/*
 * What a vault or managed HSM closes, another implementation opens, and the other way round: published vectors, OpenSSL's
 * command line, and the runtime's own ciphers. Keys are imported, so that both sides have them.
 */

let world: VaultWorld
beforeEach(() => {
  world = createVaultWorld()
})
const hex = (text: string) => Buffer.from(text, 'hex')
const b64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url')
const bytes = (text: string) => Buffer.from(text, 'base64url')
const importOct = (k: Buffer) =>
  world.call('PUT', `${MANAGED_HSM}/keys/k?api-version=2025-07-01`, { hsm: true, key: { kty: 'oct-HSM', k: b64(k) } })
const use = async (word: string, body: object, origin = MANAGED_HSM) => {
  const { status, json } = await world.call('POST', `${origin}/keys/k/${word}?api-version=2025-07-01`, body)
  expect([status, json.error]).toEqual([200, undefined])
  return json
}

const KEK = '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f'
const KEY = '00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f'

describe('AES key wrap of RFC 3394 section 4', () => {
  it.each([
    [128, 128, '1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5'],
    [192, 128, '96778b25ae6ca435f92b5b97c050aed2468ab8a17ad84e5d'],
    [256, 128, '64e8c3f9ce0f5ba263e9777905818a2a93c8191e7d6e8ae7'],
    [192, 192, '031d33264e15d33268f24ec260743edce1c6c7ddee725a936ba814915c6762d2'],
    [256, 192, 'a8f9bc1612c68b3ff6e6f4fbe30e71e4769c8b80a32cb8958cd5d17d6b254da1'],
    [256, 256, '28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21'],
  ])('%i bits of KEK, %i of key', async (kekBits, keyBits, wrapped) => {
    await importOct(hex(KEK).subarray(0, kekBits / 8))
    const key = hex(KEY).subarray(0, keyBits / 8)
    for (const alg of [`A${kekBits}KW`, 'CKM_AES_KEY_WRAP']) {
      expect(bytes((await use('wrapkey', { alg, value: b64(key) })).value).toString('hex')).toBe(wrapped)
      expect((await use('unwrapkey', { alg, value: b64(hex(wrapped)) })).value).toBe(b64(key))
    }
  })
})

describe('AES key wrap with padding of RFC 5649', () => {
  const SIX = '5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8'
  const counted = (size: number) => Buffer.from(Array.from({ length: size }, (_, index) => (7 * index + 1) % 256))

  it.each([
    // Section 6 of the RFC.
    [
      SIX,
      hex('c37b7e6492584340bed12207808941155068f738'),
      '138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a',
    ],
    [SIX, hex('466f7250617369'), 'afbeb0f07dfbf5419200f2ccb50bb24f'],
    // Made by OpenSSL and by an independent implementation, which agree.
    [KEK, counted(7), 'e1ffa4e2c36169d5a3d7aaa8714a697e'],
    [KEK, counted(8), '8792f30746c2713e66acc51850b7c1c1'],
    [KEK, counted(16), 'f70f3f76bd54a670401e3cac6731b688f90a96a1d6c6829a'],
    [KEK, counted(20), '2d744299bd1c12572e7d802b293851d70df28fef07d6492adce0388f52237800'],
    [KEK, counted(32), '684efd5d9597d8ad519a62e447d1bfbb4e5d6a30d7ced426a706852c6f669410253149a1027d7a37'],
  ])('%s', async (kek, plaintext, wrapped) => {
    await importOct(hex(kek))
    const alg = 'CKM_AES_KEY_WRAP_PAD'
    expect(bytes((await use('wrapkey', { alg, value: b64(plaintext) })).value).toString('hex')).toBe(wrapped)
    expect((await use('unwrapkey', { alg, value: b64(hex(wrapped)) })).value).toBe(b64(plaintext))
  })
})

describe.skipIf(!OPENSSL.usable)('against the openssl command line (skipped where it is absent)', () => {
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const privatePem = rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
  const publicPem = rsa.publicKey.export({ type: 'spki', format: 'pem' }) as string
  const secret = Buffer.from('thirty-two bytes of a secret key')
  beforeEach(async () => {
    for (const origin of [VAULT, MANAGED_HSM]) {
      await world.call('PUT', `${origin}/keys/k`, { key: rsa.privateKey.export({ format: 'jwk' }) })
    }
  })
  const pkeyutl = (
    files: Readonly<Record<string, string | Uint8Array>>,
    args: readonly string[],
    options: readonly string[],
  ) =>
    openssl(files, (path) => [
      ...['pkeyutl', ...args, '-inkey', path('key'), '-in', path('in'), '-out', path('out')],
      ...options.flatMap((option) => ['-pkeyopt', option]),
    ])

  it.each([
    ['RSA1_5', ['rsa_padding_mode:pkcs1']],
    ['RSA-OAEP', ['rsa_padding_mode:oaep', 'rsa_oaep_md:sha1', 'rsa_mgf1_md:sha1']],
    ['RSA-OAEP-256', ['rsa_padding_mode:oaep', 'rsa_oaep_md:sha256', 'rsa_mgf1_md:sha256']],
  ])('%s opens there and here', async (alg, options) => {
    for (const origin of [VAULT, MANAGED_HSM]) {
      for (const [close, reopen] of [
        ['wrapkey', 'unwrapkey'],
        ['encrypt', 'decrypt'],
      ] as const) {
        const { value } = await use(close, { alg, value: b64(secret) }, origin)
        expect(pkeyutl({ key: privatePem, in: bytes(value) }, ['-decrypt'], options)).toEqual(secret)
        const theirs = pkeyutl({ key: publicPem, in: secret }, ['-encrypt', '-pubin'], options)
        expect((await use(reopen, { alg, value: b64(theirs) }, origin)).value).toBe(b64(secret))
      }
    }
  })

  it.each([
    ['RS256', 'sha256', []],
    ['RS512', 'sha512', []],
    ['PS256', 'sha256', ['rsa_padding_mode:pss', 'rsa_pss_saltlen:digest']],
    ['PS384', 'sha384', ['rsa_padding_mode:pss', 'rsa_pss_saltlen:digest']],
  ])('%s: each verifies what the other signed', async (alg, digest, options) => {
    const value = Buffer.alloc({ sha256: 32, sha384: 48, sha512: 64 }[digest] ?? 0, 9)
    const all = [`digest:${digest}`, ...options]
    const ours = await use('sign', { alg, value: b64(value) }, VAULT)
    const verdict = openssl({ key: publicPem, in: value, sig: bytes(ours.value) }, (path) => [
      ...['pkeyutl', '-verify', '-pubin', '-inkey', path('key'), '-in', path('in'), '-sigfile', path('sig')],
      ...[...all.flatMap((option) => ['-pkeyopt', option]), '-out', path('out')],
    ])
    expect(verdict.toString()).toContain('Signature Verified Successfully')
    const theirs = pkeyutl({ key: privatePem, in: value }, ['-sign'], all)
    expect((await use('verify', { alg, digest: b64(value), value: b64(theirs) }, VAULT)).value).toBe(true)
  })

  it.each([
    ['A256KW', '-id-aes256-wrap', 'a6a6a6a6a6a6a6a6'],
    ['CKM_AES_KEY_WRAP_PAD', '-id-aes256-wrap-pad', 'a65959a6'],
  ])('%s opens there', async (alg, cipher, iv) => {
    await importOct(hex(KEK))
    const { value } = await use('wrapkey', { alg, value: b64(secret) })
    const opened = openssl({ in: bytes(value) }, (path) => [
      ...['enc', '-d', cipher, '-iv', iv, '-K', KEK, '-in', path('in'), '-out', path('out')],
    ])
    expect(opened).toEqual(secret)
  })

  it('A256CBCPAD opens there', async () => {
    await importOct(hex(KEK))
    const iv = Buffer.alloc(16, 5)
    const { value } = await use('encrypt', { alg: 'A256CBCPAD', value: b64(secret), iv: b64(iv) })
    const opened = openssl({ in: bytes(value) }, (path) => [
      ...['enc', '-d', '-aes-256-cbc', '-iv', iv.toString('hex'), '-K', KEK, '-in', path('in'), '-out', path('out')],
    ])
    expect(opened).toEqual(secret)
  })
})

describe('against the ciphers of the runtime', () => {
  it.each([128, 192, 256])(
    'A%iGCM opens there, with an iv of 12 bytes and a tag of 16, whatever iv was sent',
    async (bits) => {
      const key = hex(KEK).subarray(0, bits / 8)
      await importOct(key)
      const aad = Buffer.from('what goes with it')
      const iv = b64(Buffer.alloc(12))
      const sealed = await use('encrypt', { alg: `A${bits}GCM`, value: b64(Buffer.from('text')), aad: b64(aad), iv })
      expect([bytes(sealed.iv).length, bytes(sealed.tag).length, sealed.iv === iv]).toEqual([12, 16, false])
      const decipher = createDecipheriv(`aes-${bits}-gcm` as 'aes-256-gcm', key, bytes(sealed.iv))
      decipher.setAAD(aad).setAuthTag(bytes(sealed.tag))
      expect(Buffer.concat([decipher.update(bytes(sealed.value)), decipher.final()]).toString()).toBe('text')
      const back = { alg: `A${bits}GCM`, value: sealed.value, tag: sealed.tag, aad: b64(aad) }
      const older = b64(Buffer.concat([bytes(sealed.iv), Buffer.alloc(4)]))
      for (const sent of [sealed.iv, older])
        expect(bytes((await use('decrypt', { ...back, iv: sent })).value).toString()).toBe('text')
    },
  )

  it.each([
    ['HS256', 'sha256'],
    ['HS384', 'sha384'],
    ['HS512', 'sha512'],
  ])('%s is the HMAC of what is signed, with a key of 64 bytes', async (alg, hash) => {
    const key = Buffer.alloc(64, 7)
    await importOct(key)
    const value = Buffer.alloc(32, 1)
    const signed = await use('sign', { alg, value: b64(value) })
    expect(bytes(signed.value)).toEqual(createHmac(hash, key).update(value).digest())
    expect((await use('verify', { alg, digest: b64(value), value: signed.value })).value).toBe(true)
    expect((await use('verify', { alg, digest: b64(Buffer.alloc(32)), value: signed.value })).value).toBe(false)
  })
})

beforeAll(() => {
  if (!OPENSSL.usable) console.warn(`skipped: ${OPENSSL.why}`)
})
