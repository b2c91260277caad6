import type { AttestationType } from './attestation-types.ts'
import type { Check } from './evidence/check.ts'
import type { PolicyValue } from './policy/value.ts'

/*
 * What stands between a kind of evidence and the rest of the service: a kind reads its request and verifies it; the
 * service chooses the policy, evaluates it, and writes token, refusal and journal.
 */

/** What every attest request may have, decoded. */
export interface EvidenceRequest {
  /** As the token's claim has it. */
  readonly nonce?: string
  /** Policy text to evaluate instead of the stored one. */
  readonly draftPolicy?: string
}

export interface EvidenceKind<Request extends EvidenceRequest = EvidenceRequest> {
  readonly type: AttestationType
  /** @throws WireError, whose `at` names the member, for a body that is no request */
  read(body: string): Request
  verify(request: Request, circumstances: Circumstances): Promise<Findings>
}

export interface Circumstances {
  /** The time for the certificates' validity, milliseconds since the epoch. */
  readonly atMs: number
  /** What the configuration rules of the policy set: `x-ms-sgx-tcbidentifier`. */
  readonly properties: ReadonlyMap<string, PolicyValue>
}

export interface Findings {
  /** Every check that could be made, met or not, in order. */
  readonly checks: readonly Check[]
  readonly verified: boolean
  /** What the evidence says: claims of the token, and (as far as they are no objects) incoming ones of the policy. */
  readonly claims?: Readonly<Record<string, unknown>>
  /** Further names of incoming claims, which are in no token: the old `$svn`. */
  readonly aliases?: Readonly<Record<string, PolicyValue>>
  /** Identifies the evidence in the journal. */
  readonly subject?: string
  /** The end of `… attested` and `… refused`: `a guest with host data …`. */
  readonly about: string
  /** What the caller is told of evidence that is refused. */
  readonly refusal: string
  /** For the journal: small, and free of secrets. */
  readonly details?: Readonly<Record<string, unknown>>
}
