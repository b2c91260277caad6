import { decodeBase64Url, decodeUtf8, encodeBase64Url, encodeUtf8 } from './bytes.ts'
import { WireError } from './errors.ts'
import {
  isExact,
  type JsonObject,
  kindOf,
  pointer,
  refuseUnknown,
  requireArray,
  requireObject,
  requireText,
} from './json.ts'

/**
 * The key release policy, in the form that crosses the wire.
 * Source: Microsoft Learn, "Azure Key Vault secure key release policy grammar".
 */
export interface ReleasePolicy {
  /** `1.0.0`. */
  readonly version: string
  /** Any one of them is enough. */
  readonly anyOf: readonly AuthorityRule[]
}

/** Exactly one of `anyOf` and `allOf`. */
export interface AuthorityRule {
  /** Base URL of an attestation provider. */
  readonly authority: string
  readonly anyOf?: readonly PolicyCondition[]
  readonly allOf?: readonly PolicyCondition[]
}

export type PolicyCondition = ClaimCondition | ConditionGroup

/** Exactly one of `anyOf` and `allOf`. */
export interface ConditionGroup {
  readonly anyOf?: readonly PolicyCondition[]
  readonly allOf?: readonly PolicyCondition[]
}

export const CLAIM_OPERATORS = [
  'equals',
  'notEquals',
  'less',
  'lessOrEquals',
  'greater',
  'greaterOrEquals',
  'exists',
] as const
export type ClaimOperator = (typeof CLAIM_OPERATORS)[number]
export type ClaimValue = string | number | boolean

/** `{ claim, equals: value }`: exactly one operator. `claim` is a path whose dots walk into objects. */
export type ClaimCondition = { readonly claim: string } & { readonly [Operator in ClaimOperator]?: ClaimValue }

const CODE = 'ERR_RELEASE_POLICY'
export const RELEASE_POLICY_VERSION = '1.0.0'
export const RELEASE_POLICY_CONTENT_TYPE = 'application/json; charset=utf-8'

/**
 * Reads a policy. The grammar of API version 7.3-preview (`{claim, condition: "equals", value}`, version `1.0`) comes
 * out in today's form, as the vault rewrites it.
 * @throws WireError `ERR_RELEASE_POLICY` with a JSON pointer
 */
export function parseReleasePolicy(value: unknown): ReleasePolicy {
  const policy = requireObject(value, CODE, '')
  refuseUnknown(policy, ['version', 'anyOf'], CODE, '')
  const version = requireText(policy.version, CODE, '/version')
  const rules = requireArray(policy.anyOf, CODE, '/anyOf')
  if (rules.length === 0) throw new WireError(CODE, '/anyOf must name at least one authority', '/anyOf')
  const anyOf = rules.map((rule, index) => parseAuthority(rule, pointer('/anyOf', index)))
  return { version: version === '1.0' && usesOldGrammar(rules) ? RELEASE_POLICY_VERSION : version, anyOf }
}

/** Reads the `data` of a key's `release_policy`: base64url (padding tolerated) of the policy's JSON. */
export function decodeReleasePolicy(data: string): ReleasePolicy {
  let parsed: unknown
  try {
    parsed = JSON.parse(decodeUtf8(decodeBase64Url(data, { padding: 'allow' })))
  } catch (cause) {
    throw new WireError(CODE, 'the release policy data is not base64url of JSON', '', { cause })
  }
  return parseReleasePolicy(parsed)
}

/** The `data` of a key's `release_policy`: base64url, unpadded, of compact JSON. */
export function encodeReleasePolicy(policy: ReleasePolicy): string {
  return encodeBase64Url(encodeUtf8(JSON.stringify(policy)))
}

/** The operator and value of a condition that was parsed. */
export function operatorOf(condition: ClaimCondition): { operator: ClaimOperator; value: ClaimValue } {
  const operator = CLAIM_OPERATORS.find((name) => condition[name] !== undefined)
  if (operator === undefined) throw new WireError(CODE, `the condition on ${condition.claim} has no operator`)
  return { operator, value: condition[operator]! }
}

export function isClaimCondition(condition: PolicyCondition): condition is ClaimCondition {
  return 'claim' in condition
}

/**
 * Reads one `{claim, <operator>: value}`, in either grammar.
 * @param at JSON pointer of the condition in its document
 */
export function parseClaimCondition(value: unknown, at: string, code: string = CODE): ClaimCondition {
  const condition = requireObject(value, code, at)
  const claim = requireText(condition.claim, code, `${at}/claim`)
  if ('condition' in condition) {
    refuseUnknown(condition, ['claim', 'condition', 'value'], code, at)
    const operator = CLAIM_OPERATORS.find((name) => name === condition.condition)
    if (operator === undefined)
      throw new WireError(code, `${at}/condition must be one of ${CLAIM_OPERATORS.join(', ')}`, `${at}/condition`)
    return { claim, [operator]: requireOperand(operator, condition.value, code, `${at}/value`) }
  }
  refuseUnknown(condition, ['claim', ...CLAIM_OPERATORS], code, at)
  const operators = CLAIM_OPERATORS.filter((name) => name in condition)
  const [operator] = operators
  if (operator === undefined || operators.length > 1) {
    throw new WireError(code, `${at} must have exactly one of ${CLAIM_OPERATORS.join(', ')}`, at)
  }
  return { claim, [operator]: requireOperand(operator, condition[operator], code, pointer(at, operator)) }
}

function parseAuthority(value: unknown, at: string): AuthorityRule {
  const rule = requireObject(value, CODE, at)
  refuseUnknown(rule, ['authority', 'anyOf', 'allOf'], CODE, at)
  const authority = requireText(rule.authority, CODE, `${at}/authority`)
  if (!URL.canParse(authority) || !/^https?:$/.test(new URL(authority).protocol)) {
    throw new WireError(
      CODE,
      `${at}/authority must be an absolute URL such as https://name.region.attest.azure.net`,
      `${at}/authority`,
    )
  }
  return { authority, ...parseGroup(rule, at) }
}

/** Groups in groups in groups: more than anyone can follow, and no danger to the stack. */
const DEEPEST_GROUP = 32

function parseCondition(value: unknown, at: string, depth: number): PolicyCondition {
  if (depth > DEEPEST_GROUP)
    throw new WireError(CODE, `conditions are nested deeper than ${DEEPEST_GROUP} groups`, '/anyOf')
  const condition = requireObject(value, CODE, at)
  if ('claim' in condition) return parseClaimCondition(condition, at)
  refuseUnknown(condition, ['anyOf', 'allOf'], CODE, at)
  return parseGroup(condition, at, depth)
}

function parseGroup(group: JsonObject, at: string, depth = 0): ConditionGroup {
  if ('anyOf' in group === 'allOf' in group)
    throw new WireError(CODE, `${at} must have exactly one of anyOf and allOf`, at)
  const kind = 'anyOf' in group ? 'anyOf' : 'allOf'
  const items = requireArray(group[kind], CODE, pointer(at, kind))
  if (items.length === 0) throw new WireError(CODE, `${at}/${kind} must have at least one condition`, pointer(at, kind))
  return { [kind]: items.map((item, index) => parseCondition(item, pointer(pointer(at, kind), index), depth + 1)) }
}

function requireOperand(operator: ClaimOperator, value: unknown, code: string, at: string): ClaimValue {
  const operand = requireClaimValue(value, code, at)
  // Whatever is not "true" would otherwise ask for a claim to be missing.
  if (operator !== 'exists' || /^(true|false)$/.test(String(operand))) return operand
  throw new WireError(code, `${at} must be true or false`, at)
}

function requireClaimValue(value: unknown, code: string, at: string): ClaimValue {
  if (typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number') {
    if (isExact(value)) return value
    throw new WireError(code, `${at} is a number beyond 2^53 - 1, which JSON does not carry: write it as a string`, at)
  }
  throw new WireError(code, `${at} must be a string, a number or a boolean, it is ${kindOf(value)}`, at)
}

/** Called for what was parsed, so that it is known not to be deep. */
function usesOldGrammar(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(usesOldGrammar)
  if (typeof value !== 'object' || value === null) return false
  return 'condition' in value || Object.values(value).some(usesOldGrammar)
}
