import { type AttestationError, policyEvaluationError } from './errors.ts'
import { type Check, check } from './evidence/check.ts'
import { PolicyRunError } from './policy/errors.ts'
import { evaluatePolicy, type RuleTrace, type Verdict } from './policy/evaluate.ts'
import type { Policy } from './policy/syntax.ts'
import type { Claim, PolicyValue } from './policy/value.ts'

/** What a policy makes of the claims of evidence. */
export interface PolicyOutcome {
  /** By type, in the order of their issuance; a type that was issued several times has a list. */
  readonly issued: ReadonlyMap<string, PolicyValue | readonly PolicyValue[]>
  readonly checks: readonly Check[]
  readonly refusal?: AttestationError
}

/** Rules that the journal tells of after a refusal. */
const MOST_RULES = 50

export function applyPolicy(
  policy: Policy,
  claims: Readonly<Record<string, unknown>>,
  aliases: Readonly<Record<string, PolicyValue>> = {},
): PolicyOutcome {
  let verdict: Verdict
  try {
    verdict = evaluatePolicy(policy, incomingClaims({ ...claims, ...aliases }))
  } catch (error) {
    if (!(error instanceof PolicyRunError)) throw error
    const hint = 'mend the rule in this line of the policy'
    const checks = [check('policy.evaluation', 'rules that can be evaluated', error.message, false, hint)]
    return { issued: new Map(), checks, refusal: policyEvaluationError(error.message) }
  }
  const { permitted, denied, trace, issued } = verdict
  const met = permitted && !denied
  const found = denied ? 'a denial' : permitted ? 'a permission' : 'neither'
  const hint = 'see which of the rules holds, or attest with a draftPolicyForAttestation to try another policy'
  const checks = [check('policy.authorizationrules', 'a permission and no denial', found, met, hint)]
  if (met) return { issued: byType(issued), checks }
  const refusal = policyEvaluationError(
    denied
      ? 'A Deny claim was issued, authorization failed.'
      : 'No Permit claim was issued in the authorizationrules section, authorization failed.',
  )
  return { issued: new Map(), checks: [...checks, ...trace.slice(0, MOST_RULES).map(ruleCheck)], refusal }
}

/** The policy language knows strings, integers and booleans: an object of the token is no claim of it. */
function incomingClaims(claims: Readonly<Record<string, unknown>>): Claim[] {
  return Object.entries(claims).flatMap(([type, value]) =>
    typeof value === 'string' || typeof value === 'boolean' || (typeof value === 'number' && Number.isInteger(value))
      ? [{ type, value, issuer: 'AttestationService' as const }]
      : [],
  )
}

function byType(issued: readonly Claim[]): Map<string, PolicyValue | PolicyValue[]> {
  const all = new Map<string, PolicyValue[]>()
  for (const { type, value } of issued) {
    const values = all.get(type) ?? []
    if (!values.includes(value)) all.set(type, [...values, value])
  }
  return new Map([...all].map(([type, values]) => [type, values.length === 1 ? values[0]! : values]))
}

/** A denial is as it should be when it did not apply, any other rule when it did. */
function ruleCheck({ rule, applied, unmet }: RuleTrace): Check {
  const met = applied !== (rule.action.verb === 'deny')
  const name = `policy.line ${rule.line}`
  const found =
    unmet === undefined
      ? 'holds'
      : `${unmet.condition} does not hold${ofThese(unmet.found.map((value) => String(value)))}`
  return check(name, rule.text.slice(0, 500), found.slice(0, 500), met, 'look at what the rule asks of the claims')
}

function ofThese(values: readonly string[]): string {
  return values.length === 0 ? ': there is no claim of this type' : `: the value is ${values.slice(0, 8).join(', ')}`
}
