import { createHash } from 'node:crypto'

const A = 0x239b961b
const B = 0xab0e9789
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'

/**
 * The template function `uniqueString(a, b, …)`: 13 characters of a-z and 2-7 from the UTF-8 of the arguments joined with
 * `-`. A 64-bit hash in two 32-bit halves that mixes eight bytes at a time (of the MurmurHash3 family); found by its
 * published values, which are in the tests.
 */
export function uniqueString(...parts: readonly string[]): string {
  const bytes = new TextEncoder().encode(parts.join('-'))
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const whole = bytes.length - (bytes.length % 8)
  let h1 = 0
  let h2 = 0
  for (let at = 0; at < whole; at += 8) {
    h1 ^= Math.imul(rotl(Math.imul(view.getUint32(at, true), A), 15), B)
    h1 = (Math.imul(rotl(h1, 19) + h2, 5) + 0x561ccd1b) | 0
    h2 ^= Math.imul(rotl(Math.imul(view.getUint32(at + 4, true), B), 17), A)
    h2 = (Math.imul(rotl(h2, 13) + h1, 5) + 0x0bcaa747) | 0
  }
  const rest = bytes.subarray(whole)
  if (rest.length > 0) h1 ^= Math.imul(rotl(Math.imul(littleEndian(rest.subarray(0, 4)), A), 15), B)
  if (rest.length > 4) h2 ^= Math.imul(rotl(Math.imul(littleEndian(rest.subarray(4)), B), 17), A)
  h1 ^= bytes.length
  h2 ^= bytes.length
  h1 = (h1 + h2) | 0
  h2 = (h2 + h1) | 0
  h1 = finalMix(h1)
  h2 = finalMix(h2)
  h1 = (h1 + h2) | 0
  h2 = (h2 + h1) | 0
  return base32((BigInt(h2 >>> 0) << 32n) | BigInt(h1 >>> 0))
}

function rotl(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}

function littleEndian(bytes: Uint8Array): number {
  return bytes.reduce((sum, byte, at) => sum | (byte << (8 * at)), 0)
}

function finalMix(value: number): number {
  let h = value ^ (value >>> 16)
  h = Math.imul(h, 0x85ebca6b)
  h ^= h >>> 13
  h = Math.imul(h, 0xc2b2ae35)
  return h ^ (h >>> 16)
}

/** Five bits at a time from the top; the thirteenth character holds the four that remain. */
function base32(value: bigint): string {
  let text = ''
  for (let shift = 59n; shift >= 0n; shift -= 5n) text += ALPHABET[Number((value >> shift) & 31n)]
  return text + ALPHABET[Number((value & 15n) << 1n)]
}

const GUID_NAMESPACE = Buffer.from('11fb06fb712d4ddd98c7e71bbd588830', 'hex')

/** The template function `guid(a, b, …)`: a version 5 UUID (RFC 9562) of the arguments joined with `-`. */
export function templateGuid(...parts: readonly string[]): string {
  const digest = createHash('sha1').update(GUID_NAMESPACE).update(parts.join('-'), 'utf8').digest().subarray(0, 16)
  digest[6] = (digest[6]! & 0x0f) | 0x50
  digest[8] = (digest[8]! & 0x3f) | 0x80
  const hex = digest.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
