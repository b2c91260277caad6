import { decodeBase64Lenient } from '@skerry/guest/wire'
import { badParameter } from './errors.ts'

/** What is sent is always unpadded base64url. */
export const base64Url = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64url')

/** What is received may be padded, or in the standard alphabet: clients disagree. Throws 400 that names the field. */
export function bytesOf(text: string, field: string): Buffer {
  // What nearly every client sends: canonical, which comes back the same.
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.toString('base64url') === text) return bytes
  try {
    return Buffer.from(decodeBase64Lenient(text))
  } catch {
    throw badParameter(`Property ${field} is not valid base64url`)
  }
}

/** Objects of every level with their members in alphabetical order, arrays as they are. */
export function alphabetical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(alphabetical)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([, member]) => member !== undefined)
  entries.sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(entries.map(([name, member]) => [name, alphabetical(member)]))
}
