import { type DecodedSnpAttestRequest, decodeSnpAttestRequest, encodeHex, WireError } from '@skerry/guest/wire'
import type { EmulatorContext } from '../core/index.ts'
import { attestationClaims, releaseClaims } from './claims.ts'
import { type AttestationError, invalidParameter, notCovered } from './errors.ts'
import type { Check } from './evidence/check.ts'
import type { Evidence, EvidenceVerifier } from './evidence/verifier.ts'
import { DEFAULT_SEV_SNP_POLICY, policyHash } from './policy.ts'
import { attestationToken } from './token.ts'

const SEV_SNP_POLICY_HASH = policyHash(DEFAULT_SEV_SNP_POLICY)

export interface AttestCall {
  /** Base URL of the provider that was asked. */
  readonly issuer: string
  readonly requestId: string
  /** The request's body, as text. */
  readonly body: string
}

/**
 * Decides on SNP evidence and writes the decision down. All that was wrong goes to the journal; the caller learns as
 * little as from Azure.
 * @throws AttestationError
 */
export async function attestSevSnp(
  ctx: EmulatorContext,
  verifier: EvidenceVerifier,
  call: AttestCall,
): Promise<string> {
  const request = readRequest(ctx, call)
  const evidence = await verifier.verify(request, ctx.clock.now())
  const { report, product } = evidence
  if (!evidence.verified || report === undefined || product === undefined) {
    throw refuse(ctx, call, evidence, invalidParameter('The SEV-SNP attestation evidence is invalid.'))
  }
  const claims = attestationClaims({ ...evidence, report, product }, request, SEV_SNP_POLICY_HASH)
  const token = await attestationToken(ctx, call.issuer, claims)
  ctx.journal.write({
    service: 'maa',
    operation: 'attest',
    outcome: 'allowed',
    subject: encodeHex(report.reportId),
    summary: `${call.issuer} attested a guest with host data ${encodeHex(report.hostData)}`,
    conditions: evidence.checks,
    answer: { status: 200, requestId: call.requestId },
    details: { issuer: call.issuer, claims: releaseClaims(claims) },
  })
  return token
}

function readRequest(ctx: EmulatorContext, call: AttestCall): DecodedSnpAttestRequest {
  let request: DecodedSnpAttestRequest
  try {
    request = decodeSnpAttestRequest(call.body)
  } catch (error) {
    if (!(error instanceof WireError)) throw error
    const condition: Check = {
      name: `request${error.at ?? ''}`,
      wanted: 'a body of POST /attest/SevSnpVm',
      found: error.message,
      met: false,
      hint: 'report, SnpReport, VcekCertChain, Endorsements and data are base64url; report is base64url of JSON',
    }
    throw refuse(ctx, call, { checks: [condition] }, invalidParameter('The request body is invalid.'))
  }
  if (request.draftPolicy !== undefined) {
    const hint = 'leave out draftPolicyForAttestation'
    const condition: Check = {
      name: 'request/draftPolicyForAttestation',
      wanted: 'absent',
      found: 'a policy',
      met: false,
      hint,
    }
    throw refuse(ctx, call, { checks: [condition] }, notCovered('draft policies (draftPolicyForAttestation)'))
  }
  return request
}

function refuse(
  ctx: EmulatorContext,
  call: AttestCall,
  evidence: Pick<Evidence, 'checks' | 'report'>,
  answer: AttestationError,
): AttestationError {
  const failed = evidence.checks.filter(({ met }) => !met)
  const [first] = failed
  ctx.journal.write({
    service: 'maa',
    operation: 'attest',
    outcome: answer.status === 501 ? 'failed' : 'denied',
    ...(evidence.report !== undefined && { subject: encodeHex(evidence.report.reportId) }),
    summary: `${call.issuer} refused the evidence: ${failed.map(({ name }) => name).join(', ')}`,
    conditions: evidence.checks,
    ...(first?.hint !== undefined && { action: first.hint }),
    answer: { status: answer.status, code: answer.code, requestId: call.requestId },
    details: {
      issuer: call.issuer,
      ...(evidence.report !== undefined && { hostData: encodeHex(evidence.report.hostData) }),
    },
  })
  return answer
}
