import { decodeJwt, decodeProtectedHeader, type JWTPayload, type ProtectedHeaderParameters } from 'jose'
import { type EmulatorContext, epochSeconds } from '../../core/index.ts'
import { jsonText } from '../../core/json-text.ts'
import { malformedAssertion, outsideTimeRange, unsupportedAlgorithm } from '../assertion-errors.ts'

/** A client assertion (RFC 7523, section 2.2) whose signature has not been looked at yet. */
export interface Assertion {
  readonly token: string
  readonly header: ProtectedHeaderParameters
  readonly claims: JWTPayload
}

/** Asymmetric ones only: a public key must never become the secret of an HMAC (RFC 8725, section 2.1). */
export const ASSERTION_ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const

/** Clocks of clients may be this far off, in seconds. */
const SKEW = 300

/** @throws TokenServiceError for what is no JWT, or is signed by another algorithm than those above */
export function readAssertion(token: string): Assertion {
  let assertion: Assertion
  try {
    assertion = { token, header: decodeProtectedHeader(token), claims: decodeJwt(token) }
  } catch {
    throw malformedAssertion()
  }
  const { alg } = assertion.header
  if (!ASSERTION_ALGORITHMS.some((supported) => supported === alg)) {
    throw unsupportedAlgorithm(jsonText(alg), ASSERTION_ALGORITHMS)
  }
  // Nothing here understands an extension that must be understood (RFC 7515, section 4.1.11).
  if (assertion.header.crit !== undefined || assertion.header.b64 !== undefined) throw malformedAssertion()
  return assertion
}

/** @throws TokenServiceError when the assertion is expired, not valid yet, or without an end */
export function checkTimeRange(ctx: EmulatorContext, { claims }: Assertion): void {
  const now = epochSeconds(ctx.clock)
  const { nbf, exp } = claims
  for (const time of [nbf, exp]) if (time !== undefined && typeof time !== 'number') throw malformedAssertion()
  if (exp === undefined || exp + SKEW <= now || (nbf !== undefined && nbf - SKEW > now)) {
    throw outsideTimeRange(now, nbf, exp)
  }
}
