import { decodeHex, WireError } from '@skerry/guest/wire'

/* Members of the JSON documents of Intel's collateral. */

export const SGX_COLLATERAL = 'ERR_SGX_COLLATERAL'

export type Document = Readonly<Record<string, unknown>>

export function requireText(document: Document, name: string): string {
  const value = document[name]
  if (typeof value === 'string' && value !== '') return value
  throw fieldError(name, 'must be a string that is not empty')
}

/** Hexadecimal of so many bytes. */
export function requireBytes(document: Document, name: string, size: number): Uint8Array {
  const text = requireText(document, name)
  if (/^[0-9a-fA-F]*$/.test(text) && text.length === size * 2) return decodeHex(text)
  throw fieldError(name, `must be ${size} bytes in hexadecimal`)
}

export function requireCount(document: Document, name: string, greatest: number): number {
  const value = document[name]
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= greatest) return value
  throw fieldError(name, `must be an integer from 0 to ${greatest}`)
}

/** `2021-06-19T10:56:11Z`, as milliseconds since the epoch. */
export function requireTime(document: Document, name: string): number {
  const text = requireText(document, name)
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(time)) throw fieldError(name, 'must be a time in UTC (YYYY-MM-DDThh:mm:ssZ)')
  return time
}

export function requireDocument(document: Document, name: string): Document {
  const value = document[name]
  if (isDocument(value)) return value
  throw fieldError(name, 'must be an object')
}

export function requireDocuments(document: Document, name: string): readonly Document[] {
  const value = document[name]
  if (Array.isArray(value) && value.every(isDocument)) return value
  throw fieldError(name, 'must be an array of objects')
}

export function parseDocument(text: string, name: string): Document {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new WireError(SGX_COLLATERAL, `${name} is not JSON`, name, { cause })
  }
  if (isDocument(value)) return value
  throw fieldError(name, 'must be an object')
}

function isDocument(value: unknown): value is Document {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function fieldError(name: string, rule: string): WireError {
  return new WireError(SGX_COLLATERAL, `${name} ${rule}`, name)
}
