import { isExact, pointer } from './json.ts'
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
  /** The setting without which it would be. */
  readonly refusedBy?: keyof EvaluationSettings
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
  /** The setting without which it would be met. */
  readonly refusedBy?: keyof EvaluationSettings
  /** JSON pointer of the condition in the policy. */
  readonly at: string
}

/**
 * The points on which Microsoft's own pages disagree, or say nothing. What is not given is as in
 * `DEFAULT_EVALUATION_SETTINGS`.
 */
export interface EvaluationSettings {
  /**
   * The grammar names seven operators, while its text says that only `equals` works in the first iteration. `all`: the
   * grammar is the contract. With `equals-only` a condition with another operator is never met.
   */
  readonly operators?: 'all' | 'equals-only'
  /**
   * The grammar nests `anyOf` and `allOf`; the page on the concepts says that it cannot be done. `allowed`: as the
   * grammar. With `refused` a group inside an authority's group is never met.
   */
  readonly nesting?: 'allowed' | 'refused'
  /**
   * Whether `https://host` and `https://host/` are one authority. `ignored`: the attestation service writes `iss` without
   * the slash, Microsoft's policies list authorities with it, and keys are released.
   */
  readonly trailingSlash?: 'ignored' | 'significant'
  /**
   * `canonical`: the claim `true` meets `"true"`, and 0 meets `"0"`, as recorded of vault and managed HSM in 2026.
   * `typed`: a value meets only one of its own JSON type.
   */
  readonly coercion?: 'canonical' | 'typed'
}

export const DEFAULT_EVALUATION_SETTINGS: Required<EvaluationSettings> = {
  operators: 'all',
  nesting: 'allowed',
  trailingSlash: 'ignored',
  coercion: 'canonical',
}

/**
 * Evaluates a policy against a token whose signature and times were verified.
 * A missing claim meets no condition except `exists: false`. Values compare by canonical text (unless `coercion` says
 * otherwise): JSON `false` equals `"false"`, `0` equals `"0"`; strings compare exactly, with case. A number beyond
 * 2^53 - 1 meets nothing: JSON has given only its neighbourhood.
 */
export function evaluateReleasePolicy(
  policy: ReleasePolicy,
  token: { readonly issuer: string; readonly claims: Readonly<Record<string, unknown>> },
  settings: EvaluationSettings = {},
): ReleaseDecision {
  const chosen = { ...DEFAULT_EVALUATION_SETTINGS, ...settings }
  const authorities = policy.anyOf.map((rule, index) => decideAuthority(rule, pointer('/anyOf', index), token, chosen))
  return { allowed: authorities.some(({ allowed }) => allowed), authorities }
}

/** Scheme and host without case, one trailing slash ignored unless it is `significant`, the rest of the path exactly. */
export function sameAuthority(
  a: string,
  b: string,
  trailingSlash: Required<EvaluationSettings>['trailingSlash'] = 'ignored',
): boolean {
  if (trailingSlash === 'significant' && a.endsWith('/') !== b.endsWith('/')) return false
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
  settings: Required<EvaluationSettings>,
): AuthorityDecision {
  const conditions: ConditionDecision[] = []
  const decide = (condition: PolicyCondition, where: string, nested: boolean): boolean => {
    if (!isClaimCondition(condition)) return decideGroup(condition, where, true)
    const { operator, value: wanted } = operatorOf(condition)
    const found = claimAt(token.claims, condition.claim)
    const holding = holds(operator, wanted, found)
    const refusedBy = holding ? refusing(settings, operator, { wanted, found, nested }) : undefined
    const met = holding && refusedBy === undefined
    conditions.push({
      claim: condition.claim,
      operator,
      wanted,
      found,
      met,
      ...(refusedBy && { refusedBy }),
      at: where,
    })
    return met
  }
  const decideGroup = (group: ConditionGroup, where: string, nested: boolean): boolean => {
    const kind = group.anyOf === undefined ? 'allOf' : 'anyOf'
    const inside = pointer(where, kind)
    // Every member is looked at, so that the decision names all that was not met and not only the first.
    const results = (group[kind] ?? []).map((member, index) => decide(member, pointer(inside, index), nested))
    return kind === 'anyOf' ? results.some(Boolean) : results.length > 0 && results.every(Boolean)
  }
  const conditionsHold = decideGroup(rule, at, false)
  const issuerMatched = sameAuthority(rule.authority, token.issuer, settings.trailingSlash)
  const bySlash = !issuerMatched && sameAuthority(rule.authority, token.issuer)
  return {
    authority: rule.authority,
    issuerMatched,
    ...(bySlash && { refusedBy: 'trailingSlash' }),
    allowed: issuerMatched && conditionsHold,
    conditions,
  }
}

/** The setting, if any, under which a condition that holds counts for nothing. */
function refusing(
  settings: Required<EvaluationSettings>,
  operator: ClaimOperator,
  { wanted, found, nested }: { readonly wanted: ClaimValue; readonly found: unknown; readonly nested: boolean },
): keyof EvaluationSettings | undefined {
  if (nested && settings.nesting === 'refused') return 'nesting'
  if (operator !== 'equals' && settings.operators === 'equals-only') return 'operators'
  if (operator === 'exists') return undefined
  const ordered = operator !== 'equals' && operator !== 'notEquals'
  const sameType = typeof wanted === typeof found && (!ordered || typeof found === 'number')
  return settings.coercion === 'typed' && !sameType ? 'coercion' : undefined
}

function holds(operator: ClaimOperator, wanted: ClaimValue, found: unknown): boolean {
  if (operator === 'exists') return (found !== undefined) === (String(wanted) === 'true')
  const text = canonicalText(found)
  const wantedText = canonicalText(wanted)
  if (text === undefined || wantedText === undefined) return false
  if (operator === 'equals') return text === wantedText
  if (operator === 'notEquals') return text !== wantedText
  const order = compareNumbers(text, wantedText)
  if (order === undefined) return false
  if (operator === 'less') return order < 0
  if (operator === 'lessOrEquals') return order <= 0
  return operator === 'greater' ? order > 0 : order >= 0
}

/**
 * Objects, arrays and null have no canonical text: the grammar cannot compare them. Neither has an integer that a double
 * cannot hold: two different ones would look the same.
 */
function canonicalText(value: unknown): string | undefined {
  if (typeof value === 'number') return isExact(value) ? String(value) : undefined
  return typeof value === 'string' || typeof value === 'boolean' ? String(value) : undefined
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
