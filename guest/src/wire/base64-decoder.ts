/**
 * Base64 without leniency (RFC 4648, 3.3 and 3.5): only the alphabet, no bits left over that are not zero. Evidence comes
 * as base64url inside base64url inside base64url, so this is most of what reading a request costs.
 */
export interface Base64Alphabet {
  /** By byte: the value of the digit, 255 for what is none. */
  readonly digits: Uint8Array
}

const COMMON = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

export const STANDARD_ALPHABET: Base64Alphabet = alphabetOf(`${COMMON}+/`)
export const URL_ALPHABET: Base64Alphabet = alphabetOf(`${COMMON}-_`)

/**
 * @param padding `required`: as many `=` as make it a multiple of four; `none`: without
 * @returns undefined for a text that is not the one encoding of any bytes
 */
export function decodeBase64Text(
  text: string,
  { digits }: Base64Alphabet,
  padding: 'required' | 'none',
): Uint8Array<ArrayBuffer> | undefined {
  const codes = new TextEncoder().encode(text)
  // A character beyond ASCII took more than one byte.
  if (codes.length !== text.length) return undefined
  let length = codes.length
  if (padding === 'required') {
    if (length % 4 !== 0) return undefined
    if (text.endsWith('==')) length -= 2
    else if (text.endsWith('=')) length -= 1
  }
  const rest = length % 4
  if (rest === 1 || (padding === 'required' && rest !== 0 && codes.length - length !== 4 - rest)) return undefined
  const bytes = new Uint8Array(Math.floor((length * 3) / 4))
  const whole = length - rest
  // A character that is no digit has the bits above the sixth: they are collected and looked at once.
  let wrong = 0
  let out = 0
  for (let at = 0; at < whole; at += 4) {
    const a = digits[codes[at]!]!
    const b = digits[codes[at + 1]!]!
    const c = digits[codes[at + 2]!]!
    const d = digits[codes[at + 3]!]!
    wrong |= a | b | c | d
    bytes[out++] = (a << 2) | (b >> 4)
    bytes[out++] = (b << 4) | (c >> 2)
    bytes[out++] = (c << 6) | d
  }
  if (rest > 0) {
    const a = digits[codes[whole]!]!
    const b = digits[codes[whole + 1]!]!
    const c = rest === 3 ? digits[codes[whole + 2]!]! : 0
    wrong |= a | b | c
    bytes[out++] = (a << 2) | (b >> 4)
    if (rest === 3) bytes[out++] = (b << 4) | (c >> 2)
    if ((rest === 3 ? c & 3 : b & 15) !== 0) return undefined
  }
  return wrong > 63 ? undefined : bytes
}

function alphabetOf(characters: string): Base64Alphabet {
  const digits = new Uint8Array(256).fill(255)
  for (const [value, character] of [...characters].entries()) digits[character.charCodeAt(0)] = value
  return { digits }
}
