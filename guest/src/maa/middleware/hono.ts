import type { MiddlewareHandler } from 'hono'
import type { AttestationClaims } from '../claims.ts'
import { createGate, type GateOptions } from './gate.ts'

export type { AttestationClaims } from '../claims.ts'
export type { GateOptions } from './gate.ts'

/** What handlers behind it find with `c.get('attestation')`. */
export interface AttestedVariables {
  /** Verified; what the token said. */
  readonly Variables: { attestation: AttestationClaims }
}

/**
 * Admits attested callers to a Hono app: `app.use('/secret/*', requireAttestation({ authority, claims }))`.
 * Web standards only, so that it runs wherever Hono and Node's crypto do. Others are answered here with 401, 403 or 503;
 * preflights of CORS, which carry no token, with them: let what answers those stand in front.
 * @throws InvalidArgumentError for options that cannot be meant
 */
export function requireAttestation(options: GateOptions<Request>): MiddlewareHandler<AttestedVariables> {
  const admit = createGate(options)
  return async (c, next) => {
    const admission = await admit((name) => c.req.header(name), c.req.raw)
    if (!('claims' in admission)) return new Response(admission.body, admission)
    c.set('attestation', admission.claims)
    await next()
    return undefined
  }
}
