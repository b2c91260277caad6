import { hex } from '@scure/base'
import { base64Codec } from './base64.ts'
import { WireError } from './errors.ts'

/** Standard base64 with padding (RFC 4648 section 4). */
export function encodeBase64(bytes: Uint8Array): string {
  return base64Codec.encode(bytes, 'standard', 'required')
}

/** Strict standard base64: padded, no blanks, no other alphabet. Throws `ERR_BASE64`. */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> {
  return required(base64Codec.decode(text, 'standard', 'required'), 'ERR_BASE64', 'not standard base64 with padding')
}

/** Base64url without padding (RFC 4648 section 5, as JOSE writes it). */
export function encodeBase64Url(bytes: Uint8Array): string {
  return base64Codec.encode(bytes, 'url', 'none')
}

/** Strict base64url. Padding is an error unless allowed (then it may be there or not). Throws `ERR_BASE64URL`. */
export function decodeBase64Url(text: string, options: { padding?: 'forbid' | 'allow' } = {}): Uint8Array<ArrayBuffer> {
  const padding = options.padding === 'allow' && text.endsWith('=') ? 'required' : 'none'
  return required(base64Codec.decode(text, 'url', padding), 'ERR_BASE64URL', 'not base64url')
}

/** Either alphabet (not both in one text), padding optional. Throws `ERR_BASE64`. */
export function decodeBase64Lenient(text: string): Uint8Array<ArrayBuffer> {
  const alphabet = /[-_]/.test(text) ? 'url' : 'standard'
  const padding = text.endsWith('=') ? 'required' : 'none'
  return required(base64Codec.decode(text, alphabet, padding), 'ERR_BASE64', 'not base64 in either alphabet')
}

/** Lower-case hexadecimal. */
export function encodeHex(bytes: Uint8Array): string {
  return hex.encode(bytes as Uint8Array<ArrayBuffer>)
}

/** Hexadecimal in either case, two digits for each byte. Throws `ERR_HEX`. */
export function decodeHex(text: string): Uint8Array<ArrayBuffer> {
  if (!/^(?:[0-9a-fA-F]{2})*$/.test(text))
    throw new WireError('ERR_HEX', 'not hexadecimal with two digits for each byte')
  return hex.decode(text.toLowerCase()) as Uint8Array<ArrayBuffer>
}

export function encodeUtf8(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text)
}

/** Strict UTF-8; a byte order mark is kept as a character. Throws `ERR_UTF8`. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw new WireError('ERR_UTF8', 'not UTF-8 text', undefined, { cause })
  }
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0))
  let offset = 0
  for (const part of parts) {
    whole.set(part, offset)
    offset += part.length
  }
  return whole
}

/** A copy of a range. `slice` would not do: on Node's Buffer, which callers may pass, it is a view of the same memory. */
export function copyBytes(bytes: Uint8Array, start = 0, end = bytes.length): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes.subarray(start, end))
}

/** Compares all bytes whatever the outcome. For digests and identifiers; not a comparison of secrets. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let index = 0; index < a.length; index++) difference |= a[index]! ^ b[index]!
  return difference === 0
}

export function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0)
}

export async function sha256(bytes: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await globalThis.crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>))
}

/** The message never quotes the text, which may be a secret. */
function required(bytes: Uint8Array<ArrayBuffer> | undefined, code: string, message: string): Uint8Array<ArrayBuffer> {
  if (bytes === undefined) throw new WireError(code, message)
  return bytes
}
