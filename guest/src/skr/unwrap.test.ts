import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { wrap } from '../testing/vault.ts'
import type { ReleaseEnc } from '../wire/index.ts'
import { unwrapReleasedKey } from './unwrap.ts'
import { createWrappingKey, type WrappingKey } from './wrapping-key.ts'

let wrappingKey: WrappingKey
let wrappingJwk: object
beforeAll(async () => {
  wrappingKey = await createWrappingKey()
  wrappingJwk = JSON.parse(Buffer.from(wrappingKey.runtimeData).toString()).keys[0]
})

const secret = randomBytes(32)
const ec = generateKeyPairSync('ec', { namedCurve: 'P-384' })
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const pkcs8 = (key: typeof ec.privateKey) => key.export({ format: 'der', type: 'pkcs8' })

const wrapped = (plaintext: Uint8Array, more: object, enc: string = 'CKM_RSA_AES_KEY_WRAP') => ({
  kid: 'https://contoso.vault.azure.net/keys/k/1',
  kty: 'oct',
  ...more,
  key_hsm: wrap({ enc, kid: wrappingKey.kid, plaintext, wrappingJwk }),
})
const refusal = (work: () => unknown) => {
  try {
    work()
  } catch (error) {
    return error
  }
  return 'accepted'
}

describe('unwrapping', () => {
  it.each<ReleaseEnc>(['CKM_RSA_AES_KEY_WRAP', 'RSA_AES_KEY_WRAP_256', 'RSA_AES_KEY_WRAP_384'])(
    'opens what was wrapped with %s',
    (enc) => {
      const { jwk, keyObject } = unwrapReleasedKey(
        wrapped(secret, { key_ops: ['encrypt', 'decrypt'] }, enc),
        enc,
        wrappingKey,
      )
      expect(jwk).toEqual({ kty: 'oct', k: secret.toString('base64url'), key_ops: ['encrypt', 'decrypt'] })
      expect(keyObject.export()).toEqual(secret)
    },
  )

  it.each([16, 20, 32, 64])('gives back %i bytes, a multiple of eight or not', (length) => {
    const bytes = randomBytes(length)
    expect(unwrapReleasedKey(wrapped(bytes, {}), 'CKM_RSA_AES_KEY_WRAP', wrappingKey).keyObject.export()).toEqual(bytes)
  })

  it('gives an RSA key as a private JWK', () => {
    const { n, e } = rsa.publicKey.export({ format: 'jwk' })
    const { jwk } = unwrapReleasedKey(
      wrapped(pkcs8(rsa.privateKey), { kty: 'RSA-HSM', n, e }),
      'CKM_RSA_AES_KEY_WRAP',
      wrappingKey,
    )
    expect(jwk).toEqual(rsa.privateKey.export({ format: 'jwk' }))
  })

  it.each([
    ['P-256', 'P-256'],
    ['P-384', 'P-384'],
    ['P-521', 'P-521'],
    // As RFC 8812 names it, whatever the vault does.
    ['secp256k1', 'secp256k1'],
  ])('gives an EC key on %s as a private JWK', (namedCurve, crv) => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve })
    const { x, y } = publicKey.export({ format: 'jwk' })
    const { jwk, keyObject } = unwrapReleasedKey(
      wrapped(pkcs8(privateKey), { kty: 'EC', crv: namedCurve === 'secp256k1' ? 'P-256K' : namedCurve, x, y }),
      'CKM_RSA_AES_KEY_WRAP',
      wrappingKey,
    )
    expect(jwk).toEqual({ kty: 'EC', crv, x, y, d: privateKey.export({ format: 'jwk' }).d })
    expect(keyObject.equals(privateKey)).toBe(true)
  })

  it('gives an EC key whose curve is written out, as vaults have P-256K, as one on the curve of that name', () => {
    const written = Buffer.from(
      'MIIBGwIBADCB7AYHKoZIzj0CATCB4AIBATAsBgcqhkjOPQEBAiEA/////////////////////////////////////v///C8wRAQg' +
        'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAHBEEEeb5mfvnc' +
        'u6xVoGKVzocLBwKb/NstzijZWfKBWxb4F5hIOtp3JqPEZV2k+/wOEQio/Re0SKaFVBmcR9CP+xDUuAIhAP//////////////////' +
        '//66rtzmr0igO7/SXozQNkFBAgEBBCcwJQIBAQQgGdnVN5qrm5gCEM7zI8zqOQGPFUyD9ygAuRUjLl0/YaU=',
      'base64',
    )
    const { jwk, keyObject } = unwrapReleasedKey(
      wrapped(written, { kty: 'EC', crv: 'P-256K', x: 'ThZxGFNYIKkr-et2xE6l58n5U8FA1JmvwcMI55QtwWQ' }),
      'CKM_RSA_AES_KEY_WRAP',
      wrappingKey,
    )
    expect(jwk).toMatchObject({ crv: 'secp256k1', d: 'GdnVN5qrm5gCEM7zI8zqOQGPFUyD9ygAuRUjLl0_YaU' })
    // The name of the curve, the private and the public key.
    expect(pkcs8(keyObject)).toHaveLength(135)
  })

  it.each([
    [
      'another enc than the answer says',
      () => unwrapReleasedKey(wrapped(secret, {}), 'RSA_AES_KEY_WRAP_256', wrappingKey),
    ],
    [
      'another wrapping key',
      () =>
        unwrapReleasedKey(
          { ...wrapped(secret, {}), key_hsm: wrap({ kid: 'other', plaintext: secret, wrappingJwk }) },
          'CKM_RSA_AES_KEY_WRAP',
          wrappingKey,
        ),
    ],
    [
      'a key that is of another kind',
      () => unwrapReleasedKey(wrapped(pkcs8(ec.privateKey), { kty: 'RSA' }), 'CKM_RSA_AES_KEY_WRAP', wrappingKey),
    ],
    [
      'a key with another public part',
      () =>
        unwrapReleasedKey(
          wrapped(pkcs8(rsa.privateKey), { kty: 'RSA', n: 'AQAB' }),
          'CKM_RSA_AES_KEY_WRAP',
          wrappingKey,
        ),
    ],
    [
      'something that is no key',
      () => unwrapReleasedKey(wrapped(randomBytes(50), { kty: 'EC' }), 'CKM_RSA_AES_KEY_WRAP', wrappingKey),
    ],
    [
      'a key_hsm that is not JSON',
      () => unwrapReleasedKey({ ...wrapped(secret, {}), key_hsm: 'AAAA' }, 'CKM_RSA_AES_KEY_WRAP', wrappingKey),
    ],
  ])('refuses %s', (_what, work) => {
    expect(refusal(work)).toMatchObject({ name: 'KeyReleaseError', code: 'ERR_RELEASE_UNWRAP' })
  })

  it('leaves nothing in the clear behind: neither the key nor the one around it', () => {
    const fill = vi.spyOn(Buffer.prototype, 'fill')
    unwrapReleasedKey(wrapped(randomBytes(48), {}), 'CKM_RSA_AES_KEY_WRAP', wrappingKey)
    const wiped = fill.mock.contexts.filter((_, call) => fill.mock.calls[call]?.[0] === 0) as Buffer[]
    fill.mockRestore()
    expect(wiped.map(({ length }) => length)).toEqual(expect.arrayContaining([32, 48]))
    for (const buffer of wiped) expect(buffer.every((byte) => byte === 0)).toBe(true)
  })

  it('refuses a wrapped key of which one bit was changed, and says nothing of what was inside', () => {
    const key = wrapped(secret, {})
    const keyHsm = JSON.parse(Buffer.from(key.key_hsm, 'base64url').toString())
    const ciphertext = Buffer.from(keyHsm.ciphertext, 'base64url')
    ciphertext[ciphertext.length - 1]! ^= 1
    const changed = Buffer.from(JSON.stringify({ ...keyHsm, ciphertext: ciphertext.toString('base64url') })).toString(
      'base64url',
    )
    const error = refusal(() => unwrapReleasedKey({ ...key, key_hsm: changed }, 'CKM_RSA_AES_KEY_WRAP', wrappingKey))
    expect(error).toMatchObject({
      code: 'ERR_RELEASE_UNWRAP',
      message: expect.not.stringContaining(secret.toString('base64url')),
    })
    expect((error as Error).cause).toBeUndefined()
  })
})
