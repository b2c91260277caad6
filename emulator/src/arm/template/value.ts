/** Any JSON value, as the template language computes with it. */
export type Value = null | boolean | number | string | readonly Value[] | { readonly [key: string]: Value }
export type ValueObject = { readonly [key: string]: Value }

export function isObject(value: unknown): value is ValueObject {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}

export function isArray(value: unknown): value is readonly Value[] {
  return Array.isArray(value)
}

/** The own member of that name, whatever its case: names in a template compare without case. */
export function memberOf(object: ValueObject, name: string): Value | undefined {
  if (Object.hasOwn(object, name)) return object[name]
  const wanted = name.toLowerCase()
  const key = Object.keys(object).find((candidate) => candidate.toLowerCase() === wanted)
  return key === undefined ? undefined : object[key]
}

/** Type names as Azure's messages write them. */
export function typeOf(value: Value): string {
  if (value === null) return 'Null'
  if (typeof value === 'number') return Number.isInteger(value) ? 'Integer' : 'Float'
  if (typeof value === 'boolean') return 'Boolean'
  if (typeof value === 'string') return 'String'
  return isArray(value) ? 'Array' : 'Object'
}

export function sameValue(a: Value, b: Value): boolean {
  if (isArray(a) && isArray(b)) return a.length === b.length && a.every((item, i) => sameValue(item, b[i] ?? null))
  if (isObject(a) && isObject(b)) {
    const keys = Object.keys(a)
    return (
      keys.length === Object.keys(b).length &&
      keys.every((key) => Object.hasOwn(b, key) && sameValue(a[key] ?? null, b[key] ?? null))
    )
  }
  return a === b
}
