/** A value of the policy language (Microsoft Learn, "Claim and claim rules"): String, Integer or Boolean. */
export type PolicyValue = string | number | boolean

/** Who a claim is of: the evidence, the policy, or the attester. */
export type ClaimIssuer = 'AttestationService' | 'AttestationPolicy' | 'CustomClaim'

export interface Claim {
  readonly type: string
  readonly value: PolicyValue
  readonly issuer: ClaimIssuer
  /** Raw evidence: what is worked out from it cannot be issued, unless it is a boolean. */
  readonly readOnly?: boolean
}

export type ValueType = 'String' | 'Integer' | 'Boolean'

export function valueType(value: PolicyValue): ValueType {
  if (typeof value === 'string') return 'String'
  return typeof value === 'number' ? 'Integer' : 'Boolean'
}
