import { ExpressionError } from './errors.ts'
import { isArray, isObject, type Value } from './value.ts'

/*
 * How much a template may make of little: loops in loops and texts that are doubled grow without bound, and Resource
 * Manager bounds them too (4 MB for a template with everything computed).
 */

/** Of one value: characters of its texts, and one for everything else. */
export const LARGEST_VALUE = 4 * 1024 * 1024
/** Of all that is computed for one template. */
const LARGEST_TOTAL = 16 * 1024 * 1024

export interface Budget {
  left: number
}

export function newBudget(): Budget {
  return { left: LARGEST_TOTAL }
}

export function tooLarge(): never {
  throw new ExpressionError(`The template is larger than ${LARGEST_VALUE} characters when it is computed`)
}

/** Gives the value back, unless it is too large by itself or with all that was computed before. */
export function afford(value: Value, budget: Budget): Value {
  const cost = weightOf(value)
  budget.left -= cost
  if (cost > LARGEST_VALUE || budget.left < 0) tooLarge()
  return value
}

const known = new WeakMap<object, number>()

/** Values share parts, and a part is weighed once: the weight may be far more than what it took to weigh. */
export function weightOf(value: Value): number {
  if (typeof value === 'string') return value.length + 1
  if (!isArray(value) && !isObject(value)) return 1
  const before = known.get(value)
  if (before !== undefined) return before
  let weight = 1
  if (isArray(value)) for (const item of value) weight += weightOf(item)
  else for (const [name, item] of Object.entries(value)) weight += name.length + weightOf(item)
  known.set(value, weight)
  return weight
}
