import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AttestationClaims } from '../claims.ts'
import { createGate, type GateOptions } from './gate.ts'
import { headerOf, refuse } from './node.ts'

export type { AttestationClaims } from '../claims.ts'
export type { GateOptions } from './gate.ts'

/** The request as handlers behind it see it. */
export interface AttestedRequest extends IncomingMessage {
  /** What the verified token said. */
  attestation?: AttestationClaims
}

/** An Express handler, by its shape: this package does not need Express. */
export type ExpressMiddleware = (
  request: AttestedRequest,
  response: ServerResponse,
  next: (error?: unknown) => void,
) => void

/**
 * Admits attested callers to an Express app (4 or 5): `app.use('/secret', requireAttestation({ authority, claims }))`;
 * `request.attestation` has the claims. Also fits Connect and what else calls `(request, response, next)`. Others are
 * answered here with 401, 403 or 503; preflights of CORS, which carry no token, with them: let what answers those stand in
 * front.
 * @throws InvalidArgumentError for options that cannot be meant
 */
export function requireAttestation(options: GateOptions<IncomingMessage>): ExpressMiddleware {
  const admit = createGate(options)
  return (request, response, next) => {
    admit((name) => headerOf(request, name), request).then((admission) => {
      if (!('claims' in admission)) return refuse(response, admission)
      request.attestation = admission.claims
      next()
    }, next)
  }
}
