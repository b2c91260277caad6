import { createPrivateKey, createPublicKey, createSecretKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { deriveKey } from '../skr/derive.ts'
import { formatKey, isText } from './key-format.ts'

const jwkOf = (keyObject: KeyObject) => ({ keyObject, jwk: keyObject.export({ format: 'jwk' }) })
const rsa = jwkOf(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey)
const ec = jwkOf(generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey)
const SECRET = Buffer.from('00112233445566778899aabbccddeeff', 'hex')
const oct = jwkOf(createSecretKey(SECRET))

describe('a key', () => {
  it.each([rsa, ec, oct])('is a JWK on a line unless another form is asked for', (key) => {
    expect(formatKey(key).toString()).toBe(`${JSON.stringify(key.jwk)}\n`)
  })

  it.each([rsa, ec])('of a pair is PKCS#8, in PEM or DER', (key) => {
    const again = [
      createPrivateKey(formatKey(key, { format: 'pem' })),
      createPrivateKey({ key: formatKey(key, { format: 'der' }), format: 'der', type: 'pkcs8' }),
    ]
    for (const read of again) expect(createPublicKey(read).equals(createPublicKey(key.keyObject))).toBe(true)
  })

  it('of a secret is its bytes, or their text', () => {
    expect(formatKey(oct, { format: 'raw' })).toEqual(SECRET)
    expect(formatKey(oct, { format: 'hex' }).toString()).toBe('00112233445566778899aabbccddeeff\n')
    expect(formatKey(oct, { format: 'base64' }).toString()).toBe(`${SECRET.toString('base64')}\n`)
  })

  it('that is derived is the bytes that the import tool makes', () => {
    const derivation = { salt: '00ff', label: 'disk' }
    expect(formatKey(rsa, { derivation })).toEqual(deriveKey(rsa.jwk, derivation))
    expect(formatKey(rsa, { derivation, format: 'hex' }).toString()).toMatch(/^[0-9a-f]{64}\n$/)
  })

  it.each([
    ['a form that is none', rsa, { format: 'xml' }],
    ['the bytes of a pair', rsa, { format: 'raw' }],
    ['the PEM of a secret', oct, { format: 'pem' }],
    ['the PEM of a derived key', rsa, { format: 'pem', derivation: {} }],
  ])('has not %s', (_what, key, options) => {
    expect(() => formatKey(key, options)).toThrow('--format')
  })

  it('is not derived with a salt that is not hex, or a label that is too long', () => {
    expect(() => formatKey(rsa, { derivation: { salt: '0x00' } })).toThrow('--derive-salt must be hex')
    expect(() => formatKey(rsa, { derivation: { label: 'l'.repeat(1025) } })).toThrow('--derive-label must be at most')
  })

  it('that is symmetric already is taken as it is where one was to be derived', () => {
    expect(formatKey(oct, { derivation: { salt: '00ff' } })).toEqual(SECRET)
  })

  it('may stand in a variable when it is text', () => {
    expect(['jwk', 'pem', 'base64', 'hex'].every((format) => isText({ format })) && isText({})).toBe(true)
    expect(isText({ format: 'raw' }) || isText({ format: 'der' }) || isText({ derivation: {} })).toBe(false)
  })
})
