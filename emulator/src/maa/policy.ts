import { createHash } from 'node:crypto'
import { encodeBase64Url, encodeUtf8 } from '@skerry/guest/wire'

/** What a provider has for SevSnpVm until somebody sets another policy; the text is exact, its hash is in every token. */
export const DEFAULT_SEV_SNP_POLICY = 'version= 1.0;authorizationrules{=> permit();};'

/** `x-ms-policy-hash`: SHA-256 over the base64url text of the policy, not over the policy. */
export function policyHash(policyText: string): string {
  return createHash('sha256')
    .update(encodeBase64Url(encodeUtf8(policyText)))
    .digest('base64url')
}

/** A stored policy as `GET /policies/{type}` hands it out: an unsigned JWS with the policy in its payload. */
export function unsignedPolicyJws(policyText: string): string {
  const part = (value: unknown) => encodeBase64Url(encodeUtf8(JSON.stringify(value)))
  return `${part({ alg: 'none' })}.${part({ AttestationPolicy: encodeBase64Url(encodeUtf8(policyText)) })}.`
}
