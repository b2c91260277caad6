import { describe, expect, it } from 'vitest'
import { decodeBase64Url, decodeUtf8, encodeBase64Url, encodeUtf8 } from './bytes.ts'
import type { WireError } from './errors.ts'
import { decodeKeyHsm, encodeKeyHsm, isReleaseEnc, parseReleasedKeyPayload } from './key-release.ts'

const CIPHERTEXT = Uint8Array.of(1, 2, 3)
const VALUE = { kid: 'k', enc: 'RSA_AES_KEY_WRAP_256', ciphertext: CIPHERTEXT } as const

const PAYLOAD = {
  request: { 'api-version': '7.4', enc: 'CKM_RSA_AES_KEY_WRAP', kid: 'https://v.vault.azure.net/keys/k' },
  response: {
    key: {
      key: {
        kid: 'https://v.vault.azure.net/keys/k/1',
        kty: 'RSA',
        key_ops: ['decrypt'],
        n: 'AQ',
        e: 'AQAB',
        key_hsm: encodeKeyHsm(VALUE),
      },
      attributes: { enabled: true },
      release_policy: { data: 'e30', immutable: false },
    },
  },
}

const pointerOf = (run: () => unknown) => {
  try {
    run()
  } catch (error) {
    return (error as WireError).at
  }
  throw new Error('nothing was thrown')
}

describe('key_hsm', () => {
  it('keeps its fields', () => {
    expect(decodeKeyHsm(encodeKeyHsm(VALUE))).toEqual(VALUE)
  })

  it('has its members in the order of a vault, or sorted as a managed HSM does', () => {
    expect(decodeUtf8(decodeBase64Url(encodeKeyHsm(VALUE)))).toBe(
      '{"schema_version":"1.0","header":{"kid":"k","alg":"dir","enc":"RSA_AES_KEY_WRAP_256"},"ciphertext":"AQID"}',
    )
    expect(decodeUtf8(decodeBase64Url(encodeKeyHsm(VALUE, 'managedHsm')))).toBe(
      '{"ciphertext":"AQID","header":{"alg":"dir","enc":"RSA_AES_KEY_WRAP_256","kid":"k"},"schema_version":"1.0"}',
    )
  })

  it.each([
    ['{', ''],
    ['{}', '/header'],
    ['{"header":{"alg":"A"}}', '/header/alg'],
    ['{"header":{"alg":"dir","enc":"none"}}', '/header/enc'],
    ['{"header":{"alg":"dir","enc":"CKM_RSA_AES_KEY_WRAP"}}', '/ciphertext'],
    ['{"header":{"alg":"dir","enc":"CKM_RSA_AES_KEY_WRAP"},"ciphertext":"AQ"}', '/header/kid'],
    ['{"header":{"alg":"dir","kid":"k","enc":"CKM_RSA_AES_KEY_WRAP"},"ciphertext":"+"}', '/ciphertext'],
  ])('%s is refused at %s', (text, at) => {
    expect(pointerOf(() => decodeKeyHsm(encodeBase64Url(encodeUtf8(text))))).toBe(at)
  })

  it('knows three ways of wrapping', () => {
    expect(isReleaseEnc('RSA_AES_KEY_WRAP_384')).toBe(true)
    expect(isReleaseEnc('toString')).toBe(false)
  })
})

describe('a released key', () => {
  it('is taken with everything a client needs', () => {
    expect(parseReleasedKeyPayload(PAYLOAD)).toBe(PAYLOAD)
  })

  it.each([
    [{}, '/request'],
    [{ ...PAYLOAD, request: { ...PAYLOAD.request, enc: undefined } }, '/request/enc'],
    [{ ...PAYLOAD, request: { ...PAYLOAD.request, kid: '' } }, '/request/kid'],
    [{ ...PAYLOAD, response: {} }, '/response/key'],
    [
      { ...PAYLOAD, response: { key: { key: { ...PAYLOAD.response.key.key, key_hsm: 1 } } } },
      '/response/key/key/key_hsm',
    ],
  ])('%# is refused at the member that is wrong', (payload, at) => {
    expect(pointerOf(() => parseReleasedKeyPayload(payload))).toBe(at)
  })
})
