import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AttestationClaims } from '../claims.ts'
import { type Admission, createGate, type GateOptions } from './gate.ts'

export type AttestedListener = (
  request: IncomingMessage,
  response: ServerResponse,
  claims: AttestationClaims,
) => void | Promise<void>

/**
 * Admits attested callers to a plain server: `createServer(requireAttestation({ authority, claims }, listener))`, with
 * `node:http`, `node:https` and, by their compatible interface, `node:http2`. An error that the listener throws is
 * answered with 500.
 */
export function requireAttestation(
  options: GateOptions<IncomingMessage>,
  listener: AttestedListener,
): (request: IncomingMessage, response: ServerResponse) => void {
  const admit = createGate(options)
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const admission = await admit((name) => headerOf(request, name), request)
    if ('claims' in admission) await listener(request, response, admission.claims)
    else refuse(response, admission)
  }
  return (request, response) => {
    serve(request, response).catch(() => {
      if (response.headersSent) response.destroy()
      else response.writeHead(500).end()
    })
  }
}

/** Two headers of one name are none: which of them counts is no question for a gate. */
export function headerOf(request: IncomingMessage, name: string): string | undefined {
  const values = request.headersDistinct[name.toLowerCase()]
  return values?.length === 1 ? values[0] : undefined
}

export function refuse(response: ServerResponse, refusal: Exclude<Admission, { claims: unknown }>): void {
  response.writeHead(refusal.status, refusal.headers).end(refusal.body)
}
