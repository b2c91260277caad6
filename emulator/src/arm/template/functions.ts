import { DEEPEST_JSON, isNestedDeeper } from '../../core/json-depth.ts'
import { LARGEST_VALUE, tooLarge, weightOf } from './budget.ts'
import { ExpressionError } from './errors.ts'
import { templateGuid, uniqueString } from './hash.ts'
import { isArray, isObject, memberOf, sameValue, typeOf, type Value, type ValueObject } from './value.ts'

/** A template function of its arguments alone. Names are looked up in lower case. */
type PureFunction = (args: readonly Value[], name: string) => Value

export function fail(name: string, why: string): never {
  throw new ExpressionError(`Unable to evaluate template language function '${name}': ${why}.`)
}

function requireCount(args: readonly Value[], name: string, least: number, most = least): void {
  if (args.length >= least && args.length <= most) return
  const wanted = least === most ? `'${least}'` : `'${least}' to '${most}'`
  fail(name, `function requires ${wanted} argument(s) while '${args.length}' were provided`)
}

export function stringArg(args: readonly Value[], at: number, name: string): string {
  const value = args[at]
  if (typeof value !== 'string') return fail(name, `argument ${at + 1} must be a string, not ${typeOf(value ?? null)}`)
  return value
}

export function intArg(args: readonly Value[], at: number, name: string): number {
  const value = args[at]
  if (typeof value !== 'number' || !Number.isInteger(value)) {
    return fail(name, `argument ${at + 1} must be an integer, not ${typeOf(value ?? null)}`)
  }
  return value
}

function boolArg(args: readonly Value[], at: number, name: string): boolean {
  const value = args[at]
  if (typeof value !== 'boolean')
    return fail(name, `argument ${at + 1} must be a boolean, not ${typeOf(value ?? null)}`)
  return value
}

function text(convert: (value: string) => Value): PureFunction {
  return (args, name) => {
    requireCount(args, name, 1)
    return convert(stringArg(args, 0, name))
  }
}

function twoTexts(convert: (a: string, b: string) => Value): PureFunction {
  return (args, name) => {
    requireCount(args, name, 2)
    return convert(stringArg(args, 0, name), stringArg(args, 1, name))
  }
}

function arithmetic(compute: (a: number, b: number) => number): PureFunction {
  return (args, name) => {
    requireCount(args, name, 2)
    const result = compute(intArg(args, 0, name), intArg(args, 1, name))
    return Number.isSafeInteger(result) ? result : fail(name, 'the result is not an integer')
  }
}

function comparison(holds: (order: number) => boolean): PureFunction {
  return (args, name) => {
    requireCount(args, name, 2)
    const [a, b] = args
    if (typeof a === 'number' && typeof b === 'number') return holds(a - b)
    if (typeof a === 'string' && typeof b === 'string') return holds(a < b ? -1 : a > b ? 1 : 0)
    return fail(name, 'both arguments must be integers or both strings')
  }
}

/** As JSON with Azure's rule that a string stays what it is. */
export function toText(value: Value): string {
  return typeof value === 'string' ? value : value === true ? 'True' : value === false ? 'False' : JSON.stringify(value)
}

const concat: PureFunction = (args, name) => {
  if (args.length > 0 && args.every(isArray)) return args.flat()
  return args
    .map((arg) =>
      isArray(arg) || isObject(arg) ? fail(name, 'the arguments must be all strings or all arrays') : toText(arg),
    )
    .join('')
}

/** .NET composite formatting as far as templates use it: `{0}`, `{{` and `}}`. */
const format: PureFunction = (args, name) => {
  const pattern = stringArg(args, 0, name)
  let length = pattern.length
  return pattern.replaceAll(/\{\{|\}\}|\{(\d+)(?::[^{}]*)?\}/g, (whole, index: string | undefined) => {
    if (index === undefined) return whole[0]!
    const value = args[Number(index) + 1]
    if (value === undefined) return fail(name, `there is no argument for '{${index}}'`)
    const text = toText(value)
    length += text.length
    return length > LARGEST_VALUE ? tooLarge() : text
  })
}

const contains: PureFunction = (args, name) => {
  requireCount(args, name, 2)
  const [where, what] = args
  if (typeof where === 'string') return where.includes(toText(what ?? null))
  if (isArray(where)) return where.some((item) => sameValue(item, what ?? null))
  if (isObject(where)) return memberOf(where, stringArg(args, 1, name)) !== undefined
  return fail(name, 'the first argument must be a string, an array or an object')
}

/** Every item is compared with every other one. */
function refuseLongLists(args: readonly Value[]): void {
  if (args.reduce<number>((sum, list) => sum + (isArray(list) ? list.length : 0), 0) > 10_000) tooLarge()
}

const union: PureFunction = (args, name) => {
  refuseLongLists(args)
  if (args.every(isArray)) {
    const all: Value[] = []
    for (const item of args.flat()) if (!all.some((known) => sameValue(known, item))) all.push(item)
    return all
  }
  if (args.every(isObject)) return (args as readonly ValueObject[]).reduce<ValueObject>(merge, {})
  return fail(name, 'the arguments must be all arrays or all objects')
}

function merge(into: ValueObject, from: ValueObject): ValueObject {
  const merged = new Map(Object.entries(into))
  for (const [key, value] of Object.entries(from)) {
    const before = merged.get(key) ?? null
    merged.set(key, isObject(before) && isObject(value) ? merge(before, value) : value)
  }
  return Object.fromEntries(merged)
}

const intersection: PureFunction = (args, name) => {
  refuseLongLists(args)
  const [head, ...tail] = args
  if (isArray(head) && tail.every(isArray)) {
    return head.filter((item) => tail.every((list) => list.some((other) => sameValue(item, other))))
  }
  if (isObject(head) && tail.every(isObject)) {
    return Object.fromEntries(
      Object.entries(head).filter(([key, value]) => tail.every((other) => sameValue(other[key] ?? null, value))),
    )
  }
  return fail(name, 'the arguments must be all arrays or all objects')
}

/** `take`, `skip`, `first`, `last` work on strings and arrays alike. */
function slice(cut: <T extends string | readonly Value[]>(value: T, count: number) => Value): PureFunction {
  return (args, name) => {
    const value = args[0]
    if (typeof value !== 'string' && !isArray(value))
      return fail(name, 'the first argument must be a string or an array')
    return cut(value, args.length > 1 ? Math.max(intArg(args, 1, name), 0) : 1)
  }
}

const substring: PureFunction = (args, name) => {
  requireCount(args, name, 2, 3)
  const value = stringArg(args, 0, name)
  const from = intArg(args, 1, name)
  const count = args.length > 2 ? intArg(args, 2, name) : value.length - from
  if (from < 0 || count < 0 || from + count > value.length) {
    return fail(name, 'the index and length parameters must refer to a location within the string')
  }
  return value.slice(from, from + count)
}

const split: PureFunction = (args, name) => {
  requireCount(args, name, 2)
  const delimiters = isArray(args[1]) ? args[1].map(toText) : [stringArg(args, 1, name)]
  return delimiters.reduce<string[]>(
    (parts, mark) => parts.flatMap((part) => part.split(mark)),
    [stringArg(args, 0, name)],
  )
}

const toInt: PureFunction = (args, name) => {
  requireCount(args, name, 1)
  const value = typeof args[0] === 'string' && /^\s*[+-]?\d+\s*$/.test(args[0]) ? Number(args[0]) : args[0]
  return typeof value === 'number' && Number.isInteger(value)
    ? value
    : fail(name, `'${toText(args[0] ?? null)}' is not an integer`)
}

const toBool: PureFunction = (args, name) => {
  requireCount(args, name, 1)
  const value = args[0] ?? null
  if (typeof value === 'boolean') return value
  if (typeof value === 'number') return value !== 0
  if (typeof value === 'string' && /^(true|false)$/i.test(value)) return value.toLowerCase() === 'true'
  return fail(name, `'${toText(value)}' is not a boolean`)
}

function parseJson(value: string, name: string): Value {
  if (isNestedDeeper(value, DEEPEST_JSON))
    return fail(name, `the argument is nested deeper than ${DEEPEST_JSON} levels`)
  try {
    return JSON.parse(value) as Value
  } catch {
    return fail(name, 'the argument is not valid JSON')
  }
}

const createObject: PureFunction = (args, name) => {
  if (args.length % 2 !== 0) return fail(name, 'keys and values must come in pairs')
  const entries: [string, Value][] = []
  for (let at = 0; at < args.length; at += 2) entries.push([stringArg(args, at, name), args[at + 1] ?? null])
  return Object.fromEntries(entries)
}

const lengthOf: PureFunction = (args, name) => {
  requireCount(args, name, 1)
  const value = args[0] ?? null
  if (typeof value === 'string' || isArray(value)) return value.length
  return isObject(value)
    ? Object.keys(value).length
    : fail(name, 'the argument must be a string, an array or an object')
}

const isEmpty: PureFunction = (args, name) => {
  requireCount(args, name, 1)
  const value = args[0] ?? null
  if (value === null) return true
  if (typeof value === 'string' || isArray(value)) return value.length === 0
  return isObject(value) ? Object.keys(value).length === 0 : fail(name, 'the argument has no length')
}

function numbers(args: readonly Value[], name: string): number[] {
  const list = args.length === 1 && isArray(args[0]) ? args[0] : args
  return list.map((_, at) => intArg(list, at, name))
}

/** Template functions of Azure Resource Manager that depend on nothing but their arguments, by lower-case name. */
export const PURE_FUNCTIONS: Readonly<Record<string, PureFunction>> = {
  add: arithmetic((a, b) => a + b),
  and: (args, name) => args.every((_, at) => boolArg(args, at, name)),
  array: (args) => (isArray(args[0]) ? args[0] : [args[0] ?? null]),
  base64: text((value) => Buffer.from(value, 'utf8').toString('base64')),
  base64tojson: (args, name) => parseJson(Buffer.from(stringArg(args, 0, name), 'base64').toString('utf8'), name),
  base64tostring: text((value) => Buffer.from(value, 'base64').toString('utf8')),
  bool: toBool,
  coalesce: (args) => args.find((arg) => arg !== null) ?? null,
  concat,
  contains,
  createarray: (args) => args,
  createobject: createObject,
  div: arithmetic((a, b) => Math.trunc(a / b)),
  empty: isEmpty,
  endswith: twoTexts((value, end) => value.toLowerCase().endsWith(end.toLowerCase())),
  equals: (args, name) => {
    requireCount(args, name, 2)
    return sameValue(args[0] ?? null, args[1] ?? null)
  },
  false: () => false,
  first: slice((value) => value[0] ?? (typeof value === 'string' ? '' : null)),
  format,
  greater: comparison((order) => order > 0),
  greaterorequals: comparison((order) => order >= 0),
  guid: (args, name) => templateGuid(...args.map((_, at) => stringArg(args, at, name))),
  indexof: twoTexts((value, part) => value.toLowerCase().indexOf(part.toLowerCase())),
  int: toInt,
  intersection,
  items: (args, name) => {
    const object = args[0]
    if (!isObject(object)) return fail(name, 'the argument must be an object')
    const keys = Object.keys(object).toSorted((a, b) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1))
    return keys.map((key) => ({ key, value: object[key] ?? null }))
  },
  join: (args, name) => {
    const list = args[0]
    if (!isArray(list)) return fail(name, 'the first argument must be an array')
    const mark = stringArg(args, 1, name)
    return weightOf(list) + list.length * mark.length > LARGEST_VALUE ? tooLarge() : list.map(toText).join(mark)
  },
  json: (args, name) => parseJson(stringArg(args, 0, name), name),
  last: slice((value) => value.at(-1) ?? (typeof value === 'string' ? '' : null)),
  length: lengthOf,
  less: comparison((order) => order < 0),
  lessorequals: comparison((order) => order <= 0),
  max: (args, name) => Math.max(...numbers(args, name)),
  min: (args, name) => Math.min(...numbers(args, name)),
  mod: arithmetic((a, b) => a % b),
  mul: arithmetic((a, b) => a * b),
  not: (args, name) => !boolArg(args, 0, name),
  null: () => null,
  objectkeys: (args, name) => (isObject(args[0]) ? Object.keys(args[0]) : fail(name, 'the argument must be an object')),
  or: (args, name) => args.some((_, at) => boolArg(args, at, name)),
  padleft: (args, name) => {
    const width = intArg(args, 1, name)
    if (width > LARGEST_VALUE) return tooLarge()
    return toText(args[0] ?? null).padStart(width, args.length > 2 ? stringArg(args, 2, name) : ' ')
  },
  range: (args, name) => {
    const count = intArg(args, 1, name)
    if (count < 0 || count > 10_000) return fail(name, 'the count must be 0 to 10000')
    return Array.from({ length: count }, (_, at) => intArg(args, 0, name) + at)
  },
  replace: (args, name) => {
    requireCount(args, name, 3)
    const [text, part, by] = [stringArg(args, 0, name), stringArg(args, 1, name), stringArg(args, 2, name)]
    const found = text.split(part).length
    return text.length + found * by.length > LARGEST_VALUE ? tooLarge() : text.replaceAll(part, () => by)
  },
  skip: slice((value, count) => value.slice(count)),
  split,
  startswith: twoTexts((value, start) => value.toLowerCase().startsWith(start.toLowerCase())),
  string: (args) => toText(args[0] ?? null),
  sub: arithmetic((a, b) => a - b),
  substring,
  take: slice((value, count) => value.slice(0, count)),
  tolower: text((value) => value.toLowerCase()),
  toupper: text((value) => value.toUpperCase()),
  trim: text((value) => value.trim()),
  true: () => true,
  union,
  uniquestring: (args, name) => uniqueString(...args.map((_, at) => stringArg(args, at, name))),
  uri: twoTexts((base, relative) => new URL(relative, base).href),
  uricomponent: text(encodeURIComponent),
  uricomponenttostring: text(decodeURIComponent),
}
