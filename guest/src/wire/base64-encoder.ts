import type { Base64Alphabet } from './base64-decoder.ts'

/**
 * Base64 (RFC 4648). A request to attest is base64url inside base64url inside base64url, and is written with each release.
 */
export function encodeBase64Text(
  bytes: Uint8Array,
  { characters }: Base64Alphabet,
  padding: 'required' | 'none',
): string {
  const rest = bytes.length % 3
  const whole = bytes.length - rest
  const text = new Uint8Array((whole / 3) * 4 + (rest === 0 ? 0 : padding === 'required' ? 4 : rest + 1))
  let out = 0
  for (let at = 0; at < whole; at += 3) {
    const bits = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!
    text[out++] = characters[bits >> 18]!
    text[out++] = characters[(bits >> 12) & 63]!
    text[out++] = characters[(bits >> 6) & 63]!
    text[out++] = characters[bits & 63]!
  }
  if (rest > 0) {
    const bits = (bytes[whole]! << 16) | (rest === 2 ? bytes[whole + 1]! << 8 : 0)
    text[out++] = characters[bits >> 18]!
    text[out++] = characters[(bits >> 12) & 63]!
    if (rest === 2) text[out++] = characters[(bits >> 6) & 63]!
    text.fill(PADDING, out)
  }
  return ascii.decode(text)
}

const PADDING = '='.charCodeAt(0)
const ascii = new TextDecoder()
