import { pointer } from './json.ts'
import {
  type AuthorityRule,
  type ClaimOperator,
  type ClaimValue,
  type ConditionGroup,
  isClaimCondition,
  operatorOf,
  type PolicyCondition,
  type ReleasePolicy,
} from './release-policy.ts'

/** Every condition of every authority, met or not: an answer that can be explained. */
export interface ReleaseDecision {
  readonly allowed: boolean
  readonly authorities: readonly AuthorityDecision[]
}

export interface AuthorityDecision {
  readonly authority: string
  /** The token's issuer is this authority. */
  readonly issuerMatched: boolean
  /** Issuer and conditions both hold. */
  readonly allowed: boolean
  readonly conditions: readonly ConditionDecision[]
}

export interface ConditionDecision {
  /** Path of the claim. */
  readonly claim: string
  readonly operator: ClaimOperator
  readonly wanted: ClaimValue
  /** The value in the token; undefined when the claim is missing. */
  readonly found: unknown
  readonly met: boolean
  /** JSON pointer of the condition in the policy. */
  readonly at: string
}

export interface EvaluationSettings {
  /**
   * Microsoft's grammar names seven operators, while its text says that only `equals` works in the first iteration.
   * `all` (the default: the grammar is the contract) evaluates all seven; with `equals-only` a condition with another
   * operator is never met.
   */
  readonly operators?: 'equals-only' | 'all'
}

/**
 * Evaluates a policy against a token whose signature and times were verified.
 * A missing claim meets no condition except `exists: false`. Values compare by canonical text: JSON `false` equals
 * `"false"`, `0` equals `"0"`; strings compare exactly, with case.
 */
export function evaluateReleasePolicy(
  policy: ReleasePolicy,
  token: { readonly issuer: string; readonly claims: Readonly<Record<string, unknown>> },
  settings: EvaluationSettings = {},
): ReleaseDecision {
  const operators = settings.operators ?? 'all'
  const authorities = policy.anyOf.map((rule, index) =>
    decideAuthority(rule, pointer('/anyOf', index), token, operators),
  )
  return { allowed: authorities.some(({ allowed }) => allowed), authorities }
}

/** Scheme and host without case, one trailing slash ignored, the rest of the path exactly. */
export function sameAuthority(a: string, b: string): boolean {
  return canonicalAuthority(a) === canonicalAuthority(b)
}

/** The claim at a dotted path; undefined when a step is missing or is not an object. */
export function claimAt(claims: Readonly<Record<string, unknown>>, path: string): unknown {
  let value: unknown = claims
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, name))
      return undefined
    value = (value as Record<string, unknown>)[name]
  }
  return value
}

function decideAuthority(
  rule: AuthorityRule,
  at: string,
  token: { issuer: string; claims: Readonly<Record<string, unknown>> },
  operators: 'equals-only' | 'all',
): AuthorityDecision {
  const conditions: ConditionDecision[] = []
  const decide = (condition: PolicyCondition, where: string): boolean => {
    if (!isClaimCondition(condition)) return decideGroup(condition, where)
    const { operator, value: wanted } = operatorOf(condition)
    const found = claimAt(token.claims, condition.claim)
    const met = (operators === 'all' || operator === 'equals') && holds(operator, wanted, found)
    conditions.push({ claim: condition.claim, operator, wanted, found, met, at: where })
    return met
  }
  const decideGroup = (group: ConditionGroup, where: string): boolean => {
    const kind = group.anyOf === undefined ? 'allOf' : 'anyOf'
    // Every member is looked at, so that the decision names all that was not met and not only the first.
    const results = (group[kind] ?? []).map((member, index) => decide(member, pointer(pointer(where, kind), index)))
    return kind === 'anyOf' ? results.some(Boolean) : results.length > 0 && results.every(Boolean)
  }
  const conditionsHold = decideGroup(rule, at)
  const issuerMatched = sameAuthority(rule.authority, token.issuer)
  return { authority: rule.authority, issuerMatched, allowed: issuerMatched && conditionsHold, conditions }
}

function holds(operator: ClaimOperator, wanted: ClaimValue, found: unknown): boolean {
  if (operator === 'exists') return (found !== undefined) === (String(wanted) === 'true')
  const text = canonicalText(found)
  if (text === undefined) return false
  if (operator === 'equals') return text === canonicalText(wanted)
  if (operator === 'notEquals') return text !== canonicalText(wanted)
  const order = compareNumbers(text, canonicalText(wanted)!)
  if (order === undefined) return false
  if (operator === 'less') return order < 0
  if (operator === 'lessOrEquals') return order <= 0
  return operator === 'greater' ? order > 0 : order >= 0
}

/** Objects, arrays and null have no canonical text: the grammar cannot compare them. */
function canonicalText(value: unknown): string | undefined {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : undefined
}

/** Exact for integers of any size; undefined when either is not a number in decimal. */
function compareNumbers(a: string, b: string): number | undefined {
  const integer = /^-?[0-9]+$/
  if (integer.test(a) && integer.test(b)) {
    const difference = BigInt(a) - BigInt(b)
    return difference < 0n ? -1 : difference > 0n ? 1 : 0
  }
  const decimal = /^-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$/
  return decimal.test(a) && decimal.test(b) ? Math.sign(Number(a) - Number(b)) : undefined
}

function canonicalAuthority(text: string): string {
  const withoutSlash = text.endsWith('/') ? text.slice(0, -1) : text
  // The host of a parsed URL is lower case, and so is its scheme; the path keeps its case.
  const url = URL.canParse(withoutSlash) ? new URL(withoutSlash) : undefined
  // Credentials or a fragment have no place in an authority: such a text equals only itself.
  if (url === undefined || url.username !== '' || url.password !== '' || url.hash !== '') return withoutSlash
  return `${url.protocol}//${url.host}${url.pathname === '/' && !withoutSlash.endsWith('/') ? '' : url.pathname}${url.search}`
}
