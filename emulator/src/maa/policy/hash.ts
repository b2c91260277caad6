import { hash } from 'node:crypto'
import { encodeBase64Url, encodeUtf8 } from '@skerry/guest/wire'

/** `x-ms-policy-hash`: SHA-256 over the base64url text of the policy as it stood in its JWS, not over the policy. */
export function hashOfEncodedPolicy(encoded: string): string {
  return hash('sha256', encoded, 'base64url')
}

/** The same of a policy that came as text: a draft, a default. */
export function policyHash(policyText: string): string {
  return hashOfEncodedPolicy(encodeBase64Url(encodeUtf8(policyText)))
}
