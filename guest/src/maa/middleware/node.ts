import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AttestationClaims } from '../claims.ts'
import { type Admission, createGate, type GateOptions } from './gate.ts'

export type { AttestationClaims } from '../claims.ts'
export type { GateOptions } from './gate.ts'

/** Gets attested requests alone, with what their token said. */
export type AttestedListener = (
  request: IncomingMessage,
  response: ServerResponse,
  claims: AttestationClaims,
) => void | Promise<void>

/**
 * Admits attested callers to a plain server: `createServer(requireAttestation({ authority, claims }, listener))`, with
 * `node:http`, `node:https` and, by their compatible interface, `node:http2`. The listener is not called for anybody
 * else: 401, 403 and 503 are answered here. An error that it throws is answered with 500.
 * @throws InvalidArgumentError for options that cannot be meant
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

/**
 * Two headers of one name are none: which of them counts is no question for a gate. As they came, because `headers` keeps
 * one of them, and HTTP/2 has nothing else.
 */
export function headerOf({ rawHeaders }: IncomingMessage, name: string): string | undefined {
  const wanted = name.toLowerCase()
  const values = rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === wanted)
  return values.length === 1 ? values[0] : undefined
}

/** Answers who is not admitted. */
export function refuse(response: ServerResponse, refusal: Exclude<Admission, { claims: unknown }>): void {
  response.writeHead(refusal.status, refusal.headers).end(refusal.body)
}
