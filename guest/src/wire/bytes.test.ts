import { describe, expect, it } from 'vitest'
import {
  concatBytes,
  decodeBase64,
  decodeBase64Lenient,
  decodeBase64Url,
  decodeHex,
  decodeUtf8,
  encodeBase64,
  encodeBase64Url,
  encodeHex,
  equalBytes,
  sha256,
} from './bytes.ts'
import { WireError } from './errors.ts'

const BYTES = Uint8Array.of(0xfb, 0xff, 0xfe, 0x01)

const codeOf = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    expect(error).toBeInstanceOf(WireError)
    return (error as WireError).code
  }
  throw new Error('nothing was thrown')
}

describe('base64', () => {
  it('is written with padding, base64url without', () => {
    expect(encodeBase64(BYTES)).toBe('+//+AQ==')
    expect(encodeBase64Url(BYTES)).toBe('-__-AQ')
  })

  it.each(['+//+AQ', '-__-AQ==', '+//+ AQ==', '+//+AR=='])('refuses %s where it must be strict', (text) => {
    expect(codeOf(() => decodeBase64(text))).toBe('ERR_BASE64')
  })

  it('takes base64url with padding only where that is allowed', () => {
    expect(decodeBase64Url('-__-AQ')).toEqual(BYTES)
    expect(decodeBase64Url('-__-AQ==', { padding: 'allow' })).toEqual(BYTES)
    expect(codeOf(() => decodeBase64Url('-__-AQ=='))).toBe('ERR_BASE64URL')
    expect(codeOf(() => decodeBase64Url('+//+AQ', { padding: 'allow' }))).toBe('ERR_BASE64URL')
  })

  it.each(['+//+AQ==', '+//+AQ', '-__-AQ==', '-__-AQ'])('takes %s where it may be lenient', (text) => {
    expect(decodeBase64Lenient(text)).toEqual(BYTES)
  })

  it('refuses two alphabets in one text even then', () => {
    expect(codeOf(() => decodeBase64Lenient('+__-AQ'))).toBe('ERR_BASE64')
  })

  it('never repeats the text, which may be a secret', () => {
    expect(() => decodeBase64('my secret!')).toThrow(/^(?!.*secret)/)
  })
})

describe('other bytes', () => {
  it('hexadecimal is lower case, and read in either', () => {
    expect(encodeHex(BYTES)).toBe('fbfffe01')
    expect(decodeHex('FBfffe01')).toEqual(BYTES)
  })

  it.each(['f', 'zz', '0x01'])('%s is not hexadecimal', (text) => {
    expect(codeOf(() => decodeHex(text))).toBe('ERR_HEX')
  })

  it('bytes that are not UTF-8 are refused', () => {
    expect(codeOf(() => decodeUtf8(BYTES))).toBe('ERR_UTF8')
  })

  it('compares by length and content', () => {
    expect(equalBytes(BYTES, Uint8Array.from(BYTES))).toBe(true)
    expect(equalBytes(BYTES, BYTES.subarray(0, 3))).toBe(false)
    expect(equalBytes(BYTES, Uint8Array.of(0xfb, 0xff, 0xfe, 0x00))).toBe(false)
  })

  it('joins parts and digests them', async () => {
    expect(concatBytes(BYTES, Uint8Array.of(2))).toEqual(Uint8Array.of(0xfb, 0xff, 0xfe, 1, 2))
    expect(encodeHex(await sha256(new Uint8Array(0)))).toBe(
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    )
  })
})
