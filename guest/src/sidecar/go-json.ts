/**
 * JSON as the original's clients know it from Go's `encoding/json`: names are compared without case, of several the last
 * counts, `null` is the same as nothing.
 */
export type GoObject = ReadonlyMap<string, unknown>

/** What does not have the shape that is wanted. The message names the member and never repeats a value. */
export class GoJsonError extends Error {
  readonly code = 'ERR_JSON_SHAPE'

  constructor(message: string) {
    super(message)
    this.name = 'GoJsonError'
  }
}

/** `null` is an empty one. @throws GoJsonError */
export function parseGoObject(text: string): GoObject {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new GoJsonError(text === '' ? 'the body is empty' : 'the body is not JSON')
  }
  return value === null ? new Map() : asObject('the body', value)
}

/** A member that is an object; an empty one when it is missing. @throws GoJsonError */
export function objectOf(parent: GoObject, name: string): GoObject {
  const value = parent.get(name.toLowerCase())
  return value === undefined ? new Map() : asObject(name, value)
}

/** A member that is a string; an empty one when it is missing. @throws GoJsonError */
export function textOf(parent: GoObject, name: string): string {
  const value = parent.get(name.toLowerCase())
  if (value === undefined) return ''
  if (typeof value !== 'string') throw new GoJsonError(`${name} must be a string`)
  return value
}

/** A member that maps names, which keep their case here, to lists of strings. @throws GoJsonError */
export function listsOf(parent: GoObject, name: string): ReadonlyMap<string, readonly string[]> {
  const value = parent.get(name.toLowerCase())
  if (value === undefined) return new Map()
  if (!isObject(value)) throw new GoJsonError(`${name} must be an object`)
  return new Map(
    Object.entries(value).map(([key, list]) => {
      if (list === null) return [key, []]
      if (!Array.isArray(list) || !list.every((item) => typeof item === 'string'))
        throw new GoJsonError(`${name} must hold lists of strings`)
      return [key, list]
    }),
  )
}

/** JSON text as Go writes it: what has a meaning in HTML is escaped. */
export function toGoJson(value: object): string {
  return JSON.stringify(value).replaceAll(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

function asObject(what: string, value: unknown): GoObject {
  if (!isObject(value)) throw new GoJsonError(`${what} must be an object`)
  const members = new Map<string, unknown>()
  // null says nothing of a member, and so leaves what another spelling of its name has said.
  for (const [name, item] of Object.entries(value)) if (item !== null) members.set(name.toLowerCase(), item)
  return members
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
