import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { deriveKey } from './derive.ts'

/** Private exponents of two keys of 1024 bits made for this; the second begins with a zero byte, which is left out. */
const EXPONENTS = {
  long: 'I9d6s-1miJTxdHFXXf834q0J3teHFKThjZeUcHbF4aSbrCMabks0rbG46-OcSSmXsqu69WITF1PltSb07nI-_b_pWW686mwFMnSH02wBURQAmcQ8WIbcZKMX4LWMbIhmKcvvBraG91LA0asTY09mjPZDyfj9rZR5OBsJYqSZj30',
  short:
    'kTb4gYKP4ysvLBsuwmZIN-8cZkATWHil8lIKYUEjqMd8x1ekUHYY0y6VcTXO6o8RHvIURfnkKJVaU640npw8q93ULNHm5NyyQev9WHJWFUzxj59lmD67CA4fhctr9CwW-sa0NCerZ3lZi0p2-96vkOFAQmq7dimUCM2rrhAYpQ',
}

describe('a key that is derived from a released one', () => {
  // What the original's import tool printed for these keys and settings.
  it.each([
    [
      'long',
      { salt: '9b53cddbe5b78926a4e7ab4e7e9b4a2a1e8c7d6f5a4b3c2d1e0f9a8b7c6d5e4f', label: 'Model Encryption Key' },
      '82b20e125663d553617785fcddcaf4a33c551e051a5cb710022a34d84fc2b264',
    ],
    ['long', { salt: 'AB' }, '48dce7b7d295e278d7ac9c233c483aa9a7977dbcd0ef81e8b07fa4503e4a6584'],
    [
      'long',
      { salt: '00'.repeat(100), label: 'ключ' },
      '0b5d7ce5748df84c767944c0e32849bc5643c7528be03945f7cdcfa840fdd74a',
    ],
    [
      'short',
      { salt: '9b53cddbe5b78926a4e7ab4e7e9b4a2a1e8c7d6f5a4b3c2d1e0f9a8b7c6d5e4f', label: 'Model Encryption Key' },
      'c79d7bfc53dc788e223ddc982024e618b378182c7d32e276637f1887cb9bd7f2',
    ],
    ['short', { salt: 'AB' }, 'd3422129a1564122ea292bc76691fe354a40147b42908c34ea1323bf3a2f58d5'],
    [
      'short',
      { salt: '00'.repeat(100), label: 'ключ' },
      '926b4228363f4ad4471cfab275770e4d290391c154b684173cbc5aca9a8bffc0',
    ],
  ] as const)('is the one that the import tool derives: %s, %o', (name, derivation, derived) => {
    expect(deriveKey({ kty: 'RSA', d: EXPONENTS[name] }, derivation).toString('hex')).toBe(derived)
  })

  it('is the same whether or not the exponent is written with its zeros', () => {
    const padded = Buffer.concat([Buffer.alloc(1), Buffer.from(EXPONENTS.short, 'base64url')]).toString('base64url')
    expect(deriveKey({ kty: 'RSA', d: padded })).toEqual(deriveKey({ kty: 'RSA', d: EXPONENTS.short }))
  })

  it('differs by key, by salt and by label', () => {
    const jwk = { kty: 'RSA', d: EXPONENTS.long }
    const derived = [
      deriveKey(jwk),
      deriveKey(jwk, { salt: '01' }),
      deriveKey(jwk, { label: 'other' }),
      deriveKey({ kty: 'RSA', d: EXPONENTS.short }),
    ]
    expect(new Set(derived.map((key) => key.toString('hex'))).size).toBe(4)
  })

  it('comes of a private RSA key only', () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    for (const jwk of [
      { kty: 'oct', k: 'AAAA' },
      publicKey.export({ format: 'jwk' }),
      privateKey.export({ format: 'jwk' }),
    ])
      expect(() => deriveKey(jwk)).toThrow(expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT', field: 'jwk' }))
  })

  it('takes a label of a kilobyte, and no longer one', () => {
    const label = 'ключ'.repeat(128)
    expect(deriveKey({ kty: 'RSA', d: EXPONENTS.long }, { label })).toHaveLength(32)
    expect(() => deriveKey({ kty: 'RSA', d: EXPONENTS.long }, { label: `${label}!` })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT', field: 'label' }),
    )
  })

  it.each(['0', 'xy', '0x00'])('takes no salt that is not hex: %s', (salt) => {
    expect(() => deriveKey({ kty: 'RSA', d: EXPONENTS.long }, { salt })).toThrow(
      expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT', field: 'salt' }),
    )
  })
})
