import { base64, base64nopad, base64url, base64urlnopad } from '@scure/base'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeBase64Text, STANDARD_ALPHABET, URL_ALPHABET } from './base64-decoder.ts'

const CODERS = [
  ['standard, padded', STANDARD_ALPHABET, 'required', base64],
  ['standard, unpadded', STANDARD_ALPHABET, 'none', base64nopad],
  ['url, padded', URL_ALPHABET, 'required', base64url],
  ['url, unpadded', URL_ALPHABET, 'none', base64urlnopad],
] as const

/** Short texts of what is nearly base64. */
const nearly = fc.string({ unit: fc.constantFrom(...'AQgwZz0189+/-_= \n\u0141'), maxLength: 12 })

describe.each(CODERS)('base64 (%s)', (_, alphabet, padding, reference) => {
  it('gives back every byte string', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(decodeBase64Text(reference.encode(Uint8Array.from(bytes)), alphabet, padding)).toEqual(
          Uint8Array.from(bytes),
        )
      }),
    )
  })

  it('takes exactly the texts that another strict decoder takes, to the same bytes', () => {
    fc.assert(
      fc.property(nearly, (text) => {
        let wanted: Uint8Array | undefined
        try {
          wanted = Uint8Array.from(reference.decode(text))
        } catch {
          wanted = undefined
        }
        expect(decodeBase64Text(text, alphabet, padding)).toEqual(wanted)
      }),
      { numRuns: 3000 },
    )
  })
})
