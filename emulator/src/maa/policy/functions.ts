import { PolicyRunError } from './errors.ts'
import { parseJson, type QueryBudget, queryJson } from './json-query.ts'
import type { FunctionName } from './syntax.ts'
import type { PolicyValue } from './value.ts'

/** What an expression comes to: a set, since an identifier may stand for several claims. */
export interface Values {
  readonly values: readonly PolicyValue[]
  readonly readOnly: boolean
}

/** How long a string may become. */
const LONGEST_STRING = 1_048_576

/**
 * The functions of version 1.2. Source: Microsoft Learn, "Claim rule functions supported in policy version 1.2+".
 * @throws PolicyRunError for an argument that the function does not take
 */
export function callFunction(name: FunctionName, args: readonly Values[], budget: QueryBudget): Values {
  const readOnly = args.some((one) => one.readOnly)
  const [first, second] = args as [Values, Values]
  switch (name) {
    case 'JmesPath':
      return { values: [queryJson(text(name, first), text(name, second), budget)], readOnly }
    case 'JsonToClaimValue':
      return { values: claimValues(text(name, first)), readOnly }
    case 'AppendString':
      return { values: [append(text(name, first), text(name, second))], readOnly }
    case 'NegateBool': {
      const value = single(name, first)
      if (typeof value !== 'boolean') throw new PolicyRunError(`NegateBool: ${JSON.stringify(value)} is not a Boolean`)
      return { values: [!value], readOnly }
    }
    case 'IsSubsetOf': {
      const all = new Set(second.values)
      return { values: [first.values.every((value) => all.has(value))], readOnly: false }
    }
    case 'ContainsOnlyValue': {
      const wanted = single(name, second)
      return {
        values: [first.values.length > 0 && first.values.every((value) => value === wanted)],
        readOnly: false,
      }
    }
  }
}

/** The only value of a set. */
export function single(caller: string, { values }: Values): PolicyValue {
  const [value] = new Set(values)
  if (value === undefined || values.some((other) => other !== value)) {
    throw new PolicyRunError(`${caller}: one value is wanted, and there are ${new Set(values).size}`)
  }
  return value
}

function text(caller: FunctionName, values: Values): string {
  const value = single(caller, values)
  if (typeof value !== 'string') throw new PolicyRunError(`${caller}: ${value} is not a String`)
  return value
}

function append(a: string, b: string): string {
  if (a.length + b.length > LONGEST_STRING) {
    throw new PolicyRunError(`AppendString: the string has more than ${LONGEST_STRING} characters`)
  }
  return a + b
}

/** Null comes to nothing: a claim without a value is none. */
function claimValues(json: string): PolicyValue[] {
  const value = parseJson(json, 'JsonToClaimValue')
  return (Array.isArray(value) ? value : [value]).flatMap((item) => {
    if (item === null) return []
    if (typeof item === 'object') {
      throw new PolicyRunError(
        `JsonToClaimValue: ${Array.isArray(item) ? 'an array' : 'an object'} is no value of a claim`,
      )
    }
    if (typeof item === 'number' && !Number.isSafeInteger(item)) {
      throw new PolicyRunError(`JsonToClaimValue: ${item} is not an Integer`)
    }
    return [item]
  })
}
