import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** What is looked for, under the name that a finding tells: never the secret itself. */
export interface Needle {
  readonly name: string
  readonly forms: readonly Buffer[]
}

/** A text that must be nowhere: as it is, in base64 and in hex. */
export function textNeedle(name: string, text: string): Needle {
  return { name, forms: formsOf(Buffer.from(text)) }
}

/** Bytes that must be nowhere, not even in part: two pieces of them, so that a line break in between hides neither. */
export function bytesNeedle(name: string, bytes: Uint8Array): Needle {
  const size = 18
  const piece = (at: number) => formsOf(Buffer.from(bytes.subarray(at, at + size)))
  return { name, forms: bytes.length < 64 ? formsOf(Buffer.from(bytes.subarray(0, 24))) : [...piece(4), ...piece(37)] }
}

/** Raw, hex in both cases, and base64 in both alphabets wherever in a longer text the bytes begin. */
function formsOf(bytes: Buffer): Buffer[] {
  const hex = bytes.toString('hex')
  const texts = [0, 1, 2].flatMap((shift) => {
    const shifted = Buffer.concat([Buffer.alloc(shift), bytes])
    const [from, to] = [Math.ceil((shift * 8) / 6), Math.floor((shifted.length * 8) / 6)]
    return [shifted.toString('base64').slice(from, to), shifted.toString('base64url').slice(from, to)]
  })
  return [bytes, ...[hex, hex.toUpperCase(), ...texts].map((text) => Buffer.from(text))]
}

/** Names of the needles that `hay` holds. */
export function found(needles: readonly Needle[], hay: Buffer | string): string[] {
  const bytes = Buffer.from(hay)
  return needles.filter(({ forms }) => forms.some((form) => bytes.includes(form))).map(({ name }) => name)
}

export interface KeptFile {
  readonly path: string
  readonly content: Buffer
  /** Permission bits. */
  readonly mode: number
}

/** Every file below a folder as it is now. */
export function filesBelow(folder: string): KeptFile[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path, content: readFileSync(path), mode: statSync(path).mode & 0o777 }))
}
