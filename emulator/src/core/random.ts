import { createHash, randomBytes, randomUUID } from 'node:crypto'
import type { Random } from './context.ts'

/** The operating system's random source. */
export function systemRandom(): Random {
  return { bytes: (size) => randomBytes(size), uuid: () => randomUUID() }
}

/**
 * A repeatable source for tests: SHA-256 in counter mode over `seed`. The same seed gives the same sequence; never for
 * keys that protect anything.
 */
export function seededRandom(seed: string): Random {
  let counter = 0
  const bytes = (size: number): Buffer => {
    const blocks: Buffer[] = []
    for (let made = 0; made < size; made += 32) {
      blocks.push(createHash('sha256').update(`${counter}:${seed}`).digest())
      counter += 1
    }
    return Buffer.concat(blocks).subarray(0, size)
  }
  return { bytes, uuid: () => uuidOf(bytes(16)) }
}

/** RFC 9562 section 5.4: 122 random bits with the version and the variant written over the rest. */
function uuidOf(bytes: Buffer): string {
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
