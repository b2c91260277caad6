import { WireError } from './errors.ts'

/** A JSON object as it comes out of a parser. */
export type JsonObject = Readonly<Record<string, unknown>>

/** One more step of a JSON pointer (RFC 6901). */
export function pointer(at: string, key: string | number): string {
  return `${at}/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`
}

/** What a value is, for a message: never the value itself. */
export function kindOf(value: unknown): string {
  if (value === undefined) return 'missing'
  if (value === null) return 'null'
  return Array.isArray(value) ? 'an array' : typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

/** Whether a number is what the JSON said, and not only the nearest that a double holds. */
export function isExact(value: number): boolean {
  return Math.abs(value) <= Number.MAX_SAFE_INTEGER
}

export function requireObject(value: unknown, code: string, at: string): JsonObject {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject
  throw new WireError(code, `${at || 'the document'} must be an object, it is ${kindOf(value)}`, at)
}

export function requireArray(value: unknown, code: string, at: string): readonly unknown[] {
  if (Array.isArray(value)) return value
  throw new WireError(code, `${at || 'the document'} must be an array, it is ${kindOf(value)}`, at)
}

/** A string that is not empty. */
export function requireText(value: unknown, code: string, at: string): string {
  if (typeof value === 'string' && value !== '') return value
  throw new WireError(
    code,
    `${at} must be a string that is not empty, it is ${value === '' ? 'empty' : kindOf(value)}`,
    at,
  )
}

export function optionalText(value: unknown, code: string, at: string): string | undefined {
  if (value === undefined) return undefined
  if (typeof value === 'string') return value
  throw new WireError(code, `${at} must be a string, it is ${kindOf(value)}`, at)
}

/** Refuses members that the format does not have: a misspelt one would otherwise be silently without effect. */
export function refuseUnknown(object: JsonObject, known: readonly string[], code: string, at: string): void {
  for (const key of Object.keys(object)) {
    if (!known.includes(key)) {
      throw new WireError(
        code,
        `${pointer(at, key)} is not known here; known are ${known.join(', ')}`,
        pointer(at, key),
      )
    }
  }
}
