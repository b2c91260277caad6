import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Base64Alphabet, type Base64Padding, base64Codec, bufferBase64, portableBase64 } from './base64.ts'

const FORMS: readonly (readonly [Base64Alphabet, Base64Padding])[] = [
  ['standard', 'required'],
  ['standard', 'none'],
  ['url', 'required'],
  ['url', 'none'],
]
const native = bufferBase64(Buffer)

/** Short texts of what is nearly base64. */
const nearly = fc.string({ unit: fc.constantFrom(...'AQgwZz0189+/-_= \n\u0141'), maxLength: 12 })

describe.each(FORMS)('base64 (%s, padding %s)', (alphabet, padding) => {
  it('is written alike by both, and gives back every byte string', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const text = native.encode(bytes, alphabet, padding)
        expect(portableBase64.encode(bytes, alphabet, padding)).toBe(text)
        for (const codec of [native, portableBase64])
          expect(codec.decode(text, alphabet, padding)).toEqual(Uint8Array.from(bytes))
      }),
    )
  })

  it('is taken alike by both: exactly what a strict decoder takes, to the same bytes', () => {
    fc.assert(
      fc.property(nearly, (text) => {
        expect(native.decode(text, alphabet, padding)).toEqual(portableBase64.decode(text, alphabet, padding))
      }),
      { numRuns: 3000 },
    )
  })
})

it('is written of the bytes of a view, and of no others', () => {
  const view = Uint8Array.of(1, 2, 3, 4, 5, 6).subarray(3, 5)
  for (const codec of [native, portableBase64, base64Codec])
    expect(codec.encode(view, 'standard', 'required')).toBe('BAU=')
})

it('is read into memory of its own', () => {
  const bytes = base64Codec.decode('BAU=', 'standard', 'required')
  expect(bytes?.buffer.byteLength).toBe(2)
})
