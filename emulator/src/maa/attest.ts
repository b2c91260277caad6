import { WireError } from '@skerry/guest/wire'
import type { AttestationProviderRecord, EmulatorContext } from '../core/index.ts'
import { journalClaims } from './claims.ts'
import {
  type AttestationError,
  badMessage,
  invalidParameter,
  policyEvaluationError,
  policyParsingError,
} from './errors.ts'
import { type Check, check } from './evidence/check.ts'
import type { EvidenceKind, EvidenceRequest, Findings } from './evidence-kind.ts'
import { draftPolicy, type EffectivePolicy, effectivePolicy } from './policies/effective.ts'
import { PolicyRunError, PolicySyntaxError } from './policy/errors.ts'
import { evaluateConfiguration } from './policy/evaluate.ts'
import type { PolicyValue } from './policy/value.ts'
import { applyPolicy, type PolicyOutcome } from './policy-outcome.ts'
import { attestationToken } from './token.ts'

export interface AttestCall {
  readonly provider: AttestationProviderRecord
  /** Base URL of the provider that was asked. */
  readonly issuer: string
  readonly requestId: string
  /** The request's body, as text. */
  readonly body: string
}

/**
 * Decides on evidence by the policy of its type, and writes the decision down. All that was wrong goes to the journal;
 * the caller learns as little as from Azure.
 * @throws AttestationError
 */
export async function attest<Request extends EvidenceRequest>(
  ctx: EmulatorContext,
  kind: EvidenceKind<Request>,
  call: AttestCall,
): Promise<string> {
  const request = readRequest(ctx, kind, call)
  const chosen = choosePolicy(ctx, kind, call, request)
  const circumstances = { atMs: ctx.clock.now(), properties: chosen.properties }
  const findings = await kind.verify(request, circumstances)
  const { claims } = findings
  const outcome: PolicyOutcome =
    chosen.policy === undefined || claims === undefined
      ? { issued: new Map(), checks: [] }
      : applyPolicy(chosen.policy.policy, claims, findings.aliases)
  const checks = [...findings.checks, ...chosen.checks, ...outcome.checks]
  const refusal =
    !findings.verified || claims === undefined
      ? invalidParameter(findings.refusal)
      : (chosen.refusal ?? outcome.refusal)
  if (refusal !== undefined || chosen.policy === undefined || claims === undefined) {
    throw refuse(ctx, call, { ...findings, checks }, refusal ?? invalidParameter(findings.refusal))
  }
  const draft = request.draftPolicy !== undefined
  const { hash, signer } = chosen.policy
  const issued = Object.fromEntries(outcome.issued)
  const tokenClaims = {
    // First: what a policy issues never takes the place of what the evidence says.
    ...issued,
    ...claims,
    'x-ms-ver': '1.0',
    'x-ms-policy-hash': hash,
    ...(signer !== undefined && { 'x-ms-policy-signer': signer }),
    ...(outcome.issued.size > 0 && { 'x-ms-policy': issued }),
    ...(request.nonce !== undefined && { nonce: request.nonce }),
  }
  const token = await attestationToken(ctx, call.issuer, tokenClaims, { unsecured: draft })
  ctx.journal.write({
    service: 'maa',
    operation: 'attest',
    outcome: 'allowed',
    ...(findings.subject !== undefined && { subject: findings.subject }),
    summary: `${call.issuer} attested ${findings.about}${draft ? ', by a draft policy: the token is unsecured' : ''}`,
    conditions: checks,
    answer: { status: 200, requestId: call.requestId },
    details: { issuer: call.issuer, type: kind.type, claims: journalClaims(tokenClaims) },
  })
  return token
}

function readRequest<Request extends EvidenceRequest>(
  ctx: EmulatorContext,
  kind: EvidenceKind<Request>,
  call: AttestCall,
): Request {
  try {
    return kind.read(call.body)
  } catch (error) {
    if (!(error instanceof WireError)) throw error
    const hint = 'evidence, and data of runtimeData and initTimeData, are base64url; SevSnpVm wraps JSON in its report'
    const wanted = `a body of POST /attest/${kind.type}`
    const checks = [check(`request${error.at ?? ''}`, wanted, error.message, false, hint)]
    throw refuse(
      ctx,
      call,
      { checks, about: `a request for ${kind.type}` },
      invalidParameter('The request body is invalid.'),
    )
  }
}

interface ChosenPolicy {
  readonly policy?: EffectivePolicy
  readonly properties: ReadonlyMap<string, PolicyValue>
  readonly checks: readonly Check[]
  readonly refusal?: AttestationError
}

/** The draft that came along, or else the policy of the provider. One that cannot be used does not end the checks. */
function choosePolicy(
  ctx: EmulatorContext,
  { type }: EvidenceKind,
  { provider }: AttestCall,
  { draftPolicy: draft }: EvidenceRequest,
): ChosenPolicy {
  const none = new Map<string, PolicyValue>()
  try {
    const policy = draft === undefined ? effectivePolicy(ctx, provider, type) : draftPolicy(draft)
    if (policy !== undefined) return { policy, properties: evaluateConfiguration(policy.policy), checks: [] }
    const hint = `set a policy for ${type}: there is no default one`
    const checks = [check('policy', 'a policy', 'none', false, hint)]
    return { properties: none, checks, refusal: badMessage(`No policy is set for ${type}.`) }
  } catch (error) {
    const refusal =
      error instanceof PolicySyntaxError
        ? policyParsingError(error)
        : error instanceof PolicyRunError
          ? policyEvaluationError(error.message)
          : undefined
    if (refusal === undefined) throw error
    const checks = [check('policy.text', 'a policy', refusal.message, false, 'mend the policy at this line and column')]
    return { properties: none, checks, refusal }
  }
}

function refuse(
  ctx: EmulatorContext,
  call: AttestCall,
  findings: Pick<Findings, 'checks' | 'about' | 'subject' | 'details'>,
  answer: AttestationError,
): AttestationError {
  const failed = findings.checks.filter(({ met }) => !met)
  const action = failed.find(({ hint }) => hint !== undefined)?.hint
  ctx.journal.write({
    service: 'maa',
    operation: 'attest',
    outcome: answer.status === 501 ? 'failed' : 'denied',
    ...(findings.subject !== undefined && { subject: findings.subject }),
    summary: `${call.issuer} refused ${findings.about}: ${failed.map(({ name }) => name).join(', ')}`,
    conditions: findings.checks,
    ...(action !== undefined && { action }),
    answer: { status: answer.status, code: answer.code, requestId: call.requestId },
    details: { issuer: call.issuer, ...findings.details },
  })
  return answer
}
