import { afford, type Budget } from './budget.ts'
import { ExpressionError } from './errors.ts'
import { type Expression, isExpression, literalText, parseExpression } from './expression.ts'
import { fail, intArg, PURE_FUNCTIONS, stringArg } from './functions.ts'
import {
  type DeploymentScope,
  extensionResourceId,
  resourceId,
  subscriptionResourceId,
  tenantResourceId,
} from './ids.ts'
import { isArray, isObject, memberOf, type Value, type ValueObject } from './value.ts'

/** What expressions see beside their arguments. A member that is absent is a function that is not allowed there. */
export interface Scope {
  readonly at: DeploymentScope
  /** What may still be computed: shared by all scopes of a template. */
  readonly budget: Budget
  readonly parameter: (name: string) => Value
  readonly variable?: (name: string) => Value
  /** `resourceGroup()`, `subscription()`, `deployment()`, `tenant()`, `environment()`. */
  readonly surroundings: Readonly<Record<string, Value>>
  readonly reference?: (idOrName: string, full: boolean) => Value
  readonly copyIndex?: (loop: string | undefined) => number
  /** Only in the default value of a parameter. */
  readonly defaults?: { readonly utcNow: (format: string | undefined) => string; readonly newGuid: () => string }
}

/** The value of a string: computed when it is an expression. @throws ExpressionError */
export function evaluateText(text: string, scope: Scope): Value {
  return isExpression(text) ? evaluate(parseExpression(text), scope) : literalText(text)
}

/** Computes every expression in a value, in the names of members too, and spreads property copies. */
export function evaluateDeep(value: Value, scope: Scope): Value {
  if (typeof value === 'string') return evaluateText(value, scope)
  if (isArray(value)) return value.map((item) => evaluateDeep(item, scope))
  if (!isObject(value)) return value
  // From entries: a member that is called __proto__ is a member like any other.
  const members = Object.entries(value).flatMap(([key, item]): [string, Value][] =>
    key === 'copy' && isPropertyCopy(item)
      ? Object.entries(spreadCopies(item, scope))
      : [[evaluateName(key, scope), evaluateDeep(item, scope)]],
  )
  return Object.fromEntries(members)
}

function evaluateName(key: string, scope: Scope): string {
  const name = evaluateText(key, scope)
  if (typeof name !== 'string') throw new ExpressionError(`The property name '${key}' does not evaluate to a string.`)
  return name
}

function isPropertyCopy(value: Value): value is readonly ValueObject[] {
  return isArray(value) && value.length > 0 && value.every((item) => isObject(item) && item.input !== undefined)
}

/** `copy: [{name, count, input}]` inside properties or variables: each becomes an array under its name. */
export function spreadCopies(copies: readonly ValueObject[], scope: Scope): Record<string, Value> {
  const spread = copies.map(({ name, count, input }): [string, Value] => {
    if (typeof name !== 'string') throw new ExpressionError("A property 'copy' has no name.")
    const times = copyCount(evaluateDeep(count ?? null, scope), name)
    const items = Array.from({ length: times }, (_, index) => {
      const copyIndex = (loop: string | undefined) => {
        if (loop === undefined || loop.toLowerCase() === name.toLowerCase()) return index
        return scope.copyIndex?.(loop) ?? fail('copyIndex', `there is no loop '${loop}'`)
      }
      return afford(evaluateDeep(input ?? null, { ...scope, copyIndex }), scope.budget)
    })
    return [name, items]
  })
  return Object.fromEntries(spread)
}

export function copyCount(count: Value, name: string): number {
  if (typeof count === 'number' && Number.isInteger(count) && count >= 0 && count <= 800) return count
  throw new ExpressionError(`The copy count of '${name}' must be an integer from 0 to 800.`)
}

export function evaluate(tree: Expression, scope: Scope): Value {
  switch (tree.kind) {
    case 'literal':
      return tree.value
    case 'call':
      return call(tree.name, tree.args, scope)
    case 'member':
      return property(evaluate(tree.target, scope), tree.name)
    case 'index':
      return indexed(evaluate(tree.target, scope), evaluate(tree.index, scope))
  }
}

function property(target: Value, name: string): Value {
  if (!isObject(target)) throw new ExpressionError(`The language expression property '${name}' can't be evaluated.`)
  const found = memberOf(target, name)
  if (found !== undefined) return found
  throw new ExpressionError(
    `The language expression property '${name}' doesn't exist, available properties are '${Object.keys(target).join(', ')}'.`,
  )
}

function indexed(target: Value, index: Value): Value {
  if (typeof index === 'string') return property(target, index)
  if (!isArray(target) || typeof index !== 'number') {
    throw new ExpressionError(`The language expression property '${index}' can't be evaluated.`)
  }
  const found = target[index]
  if (found !== undefined) return found
  throw new ExpressionError(`The language expression property array index '${index}' is out of bounds.`)
}

function call(name: string, args: readonly Expression[], scope: Scope): Value {
  const key = name.toLowerCase()
  if (key === 'if') return choose(args, scope)
  const values = args.map((argument) => evaluate(argument, scope))
  const pure = Object.hasOwn(PURE_FUNCTIONS, key) ? PURE_FUNCTIONS[key] : undefined
  if (pure !== undefined) return afford(pure(values, name), scope.budget)
  if (Object.hasOwn(scope.surroundings, key)) return scope.surroundings[key] ?? null
  switch (key) {
    case 'parameters':
      return scope.parameter(stringArg(values, 0, name))
    case 'variables':
      return (scope.variable ?? notHere(name))(stringArg(values, 0, name))
    case 'resourceid':
      return resourceId(values, scope.at)
    case 'subscriptionresourceid':
      return subscriptionResourceId(values, scope.at)
    case 'extensionresourceid':
      return extensionResourceId(values)
    case 'tenantresourceid':
      return tenantResourceId(values)
    case 'reference':
      return (scope.reference ?? notHere(name))(stringArg(values, 0, name), isFull(values[2]))
    case 'copyindex':
      return copyIndex(values, scope)
    case 'utcnow':
      return (scope.defaults ?? notHere(name)).utcNow(values.length > 0 ? stringArg(values, 0, name) : undefined)
    case 'newguid':
      return (scope.defaults ?? notHere(name)).newGuid()
    default:
      throw new ExpressionError(
        key.startsWith('list')
          ? `The template function '${name}' is not covered by Skerry.`
          : `The template function '${name}' is not valid. Please see https://aka.ms/arm-function-deployment for usage details.`,
      )
  }
}

/** Only the branch that is taken is computed. */
function choose(args: readonly Expression[], scope: Scope): Value {
  const [condition, whenTrue, whenFalse] = args
  if (condition === undefined || whenTrue === undefined || whenFalse === undefined || args.length !== 3) {
    return fail('if', `function requires '3' argument(s) while '${args.length}' were provided`)
  }
  const holds = evaluate(condition, scope)
  if (typeof holds !== 'boolean') return fail('if', 'the condition must be a boolean')
  return evaluate(holds ? whenTrue : whenFalse, scope)
}

function copyIndex(values: readonly Value[], scope: Scope): number {
  const named = typeof values[0] === 'string'
  const offsetAt = named ? 1 : 0
  const offset = values.length > offsetAt ? intArg(values, offsetAt, 'copyIndex') : 0
  return (scope.copyIndex ?? notHere('copyIndex'))(named ? stringArg(values, 0, 'copyIndex') : undefined) + offset
}

function isFull(value: Value | undefined): boolean {
  return typeof value === 'string' && value.toLowerCase() === 'full'
}

function notHere(name: string): never {
  throw new ExpressionError(
    `The template function '${name}' is not expected at this location. Please see https://aka.ms/arm-template-expressions for usage details.`,
  )
}
