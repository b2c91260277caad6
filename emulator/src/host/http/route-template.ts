import { HostError } from '../errors.ts'

/**
 * ASP.NET Core route templates, as Azure Functions takes them: `{a}`, `{a?}`, `{a=default}`, `{*rest}`, `{a:int:min(1)}`,
 * also several in one segment. Compared without case; a constraint that fails means the route does not match.
 */
export interface RouteTemplate {
  readonly template: string
  /** The parameters, decoded; an optional one that is absent is left out. undefined: this path is not of this route. */
  match(path: string): Record<string, string> | undefined
}

interface Parameter {
  readonly name: string
  readonly optional: boolean
  readonly fallback: string | undefined
  readonly constraints: readonly ((value: string) => boolean)[]
}

type Segment =
  | { readonly catchAll: Parameter }
  | { readonly pattern: RegExp; readonly parameters: readonly Parameter[] }

export function parseRoute(template: string): RouteTemplate {
  const segments = splitSegments(template.replace(/^\/+|\/+$/g, '')).map((text) => parseSegment(text, template))
  return { template, match: (path) => matchSegments(segments, path) }
}

/** Splits at slashes that stand outside braces: a regex constraint may hold one. */
function splitSegments(template: string): string[] {
  const segments: string[] = []
  let depth = 0
  let current = ''
  for (const char of template) {
    if (char === '{') depth += 1
    if (char === '}') depth -= 1
    if (char === '/' && depth === 0) {
      segments.push(current)
      current = ''
    } else current += char
  }
  return current === '' && segments.length === 0 ? [] : [...segments, current]
}

function parseSegment(text: string, template: string): Segment {
  const whole = /^\{\*{1,2}(.+)\}$/.exec(text)
  if (whole !== null) return { catchAll: { ...parseParameter(whole[1] as string, template), optional: true } }
  const parameters: Parameter[] = []
  let pattern = ''
  let rest = text
  while (rest !== '') {
    const open = rest.indexOf('{')
    if (open < 0) {
      pattern += literal(rest)
      break
    }
    const close = closingBrace(rest, open)
    if (close < 0)
      throw new HostError('ERR_HOST_APP_INVALID', `route ${JSON.stringify(template)}: a brace is not closed`)
    pattern += literal(rest.slice(0, open))
    const parameter = parseParameter(rest.slice(open + 1, close), template)
    parameters.push(parameter)
    rest = rest.slice(close + 1)
    pattern += rest === '' ? '(.+)' : '(.+?)'
  }
  return { pattern: new RegExp(`^${pattern}$`, 'is'), parameters }
}

const literal = (text: string) => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')

function closingBrace(text: string, open: number): number {
  let depth = 0
  for (let i = open; i < text.length; i++) {
    if (text[i] === '{') depth += 1
    if (text[i] === '}') depth -= 1
    if (depth === 0) return i
  }
  return -1
}

function parseParameter(text: string, template: string): Parameter {
  const head = /^([^:=?]+)/.exec(text)?.[1]
  if (head === undefined)
    throw new HostError('ERR_HOST_APP_INVALID', `route ${JSON.stringify(template)}: a parameter has no name`)
  let rest = text.slice(head.length)
  const constraints: ((value: string) => boolean)[] = []
  while (rest.startsWith(':')) {
    const found = /^:([A-Za-z]+)(\(((?:[^()]|\([^()]*\))*)\))?/.exec(rest)
    if (found === null)
      throw new HostError('ERR_HOST_APP_INVALID', `route ${JSON.stringify(template)}: cannot read ${rest}`)
    constraints.push(constraint(found[1] as string, found[3], template))
    rest = rest.slice(found[0].length)
  }
  const optional = rest.endsWith('?')
  const fallback = rest.startsWith('=') ? rest.slice(1) : undefined
  return { name: head, optional: optional || fallback !== undefined, fallback, constraints }
}

const GUID = /^\{?[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}\}?$/i
const DECIMAL = /^[+-]?(\d+(\.\d*)?|\.\d+)$/
const FLOAT = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i

function constraint(name: string, argument: string | undefined, template: string): (value: string) => boolean {
  const numbers = (argument ?? '').split(',').map(Number)
  const [first = Number.NaN, second = first] = numbers
  const whole = (value: string, low: bigint, high: bigint) =>
    /^[+-]?\d+$/.test(value) && BigInt(value.replace(/^\+/, '')) >= low && BigInt(value.replace(/^\+/, '')) <= high
  const long = (value: string) => whole(value, -(2n ** 63n), 2n ** 63n - 1n)
  switch (name.toLowerCase()) {
    case 'int':
      return (value) => whole(value, -(2n ** 31n), 2n ** 31n - 1n)
    case 'long':
      return long
    case 'bool':
      return (value) => /^(true|false)$/i.test(value)
    case 'datetime':
      return (value) => !Number.isNaN(Date.parse(value))
    case 'decimal':
      return (value) => DECIMAL.test(value)
    case 'double':
    case 'float':
      return (value) => FLOAT.test(value)
    case 'guid':
      return (value) => GUID.test(value)
    case 'alpha':
      return (value) => /^[a-z]*$/i.test(value)
    case 'required':
      return (value) => value !== ''
    case 'minlength':
      return (value) => value.length >= first
    case 'maxlength':
      return (value) => value.length <= first
    case 'length':
      return (value) => value.length >= first && value.length <= second
    case 'min':
      return (value) => long(value) && Number(value) >= first
    case 'max':
      return (value) => long(value) && Number(value) <= first
    case 'range':
      return (value) => long(value) && Number(value) >= first && Number(value) <= second
    case 'regex': {
      // In a template, braces and brackets of the expression are doubled.
      const source = (argument ?? '').replace(/\{\{|\}\}|\[\[|\]\]/g, (pair) => pair[0] as string)
      const pattern = new RegExp(source, 'i')
      return (value) => pattern.test(value)
    }
    default:
      throw new HostError('ERR_HOST_APP_INVALID', `route ${JSON.stringify(template)}: unknown constraint "${name}"`)
  }
}

function matchSegments(segments: readonly Segment[], path: string): Record<string, string> | undefined {
  const parts = path.replace(/^\/+|\/+$/g, '').split('/')
  if (parts.length === 1 && parts[0] === '') parts.pop()
  const found: Record<string, string> = {}
  const take = (parameter: Parameter, value: string): boolean => {
    if (!parameter.constraints.every((test) => test(value))) return false
    found[parameter.name] = value
    return true
  }
  for (const [index, segment] of segments.entries()) {
    if ('catchAll' in segment) {
      const rest = decoded(parts.slice(index).join('/'))
      if (rest === undefined) return undefined
      const value = rest === '' ? segment.catchAll.fallback : rest
      if (value !== undefined && !take(segment.catchAll, value)) return undefined
      return found
    }
    const part = parts[index]
    if (part === undefined) {
      const [only] = segment.parameters
      if (only === undefined || segment.parameters.length > 1 || !only.optional) return undefined
      if (only.fallback !== undefined && !take(only, only.fallback)) return undefined
      continue
    }
    const text = decoded(part)
    const values = text === undefined ? null : segment.pattern.exec(text)
    if (values === null) return undefined
    if (!segment.parameters.every((parameter, i) => take(parameter, values[i + 1] as string))) return undefined
  }
  return parts.length > segments.length ? undefined : found
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
