import { type PlainAnswer, type PlainRequest, toResponse } from '../core/index.ts'
import type { InstanceCredential } from './credential.ts'
import type { LocalRoutes } from './local-routes.ts'

/*
 * Requests to the plain port itself: its control routes, for local programs that know the credential, and what answers
 * there to others.
 */

export interface ControlRequestOptions {
  readonly credential: InstanceCredential
  readonly control: (request: Request) => Promise<Response>
  readonly local?: LocalRoutes
}

/** Below this path on the plain port are the control routes. */
const CONTROL_PREFIX = '/.skerry/'

export const WRONG_CREDENTIAL = "this instance's credential is missing or wrong; `skerry env` prints it"

/** @param isOwner whether the connection comes from a program of the user that the emulator runs as */
export async function answerControl(
  request: Request,
  options: ControlRequestOptions,
  isOwner: () => Promise<boolean>,
): Promise<Response> {
  if (!new URL(request.url).pathname.startsWith(CONTROL_PREFIX)) {
    const text = 'This is the proxy of a Skerry emulator. Point HTTPS_PROXY at it: `skerry env` prints how.\n'
    return new Response(text, { status: 404, headers: { 'content-type': 'text/plain; charset=utf-8' } })
  }
  const local = isLoopbackHost(request.headers.get('host')) ? options.local?.answer(request, isOwner) : undefined
  if (local !== undefined) return await local
  const refusal = refuseControl(request, options)
  return refusal === undefined ? await options.control(request) : toResponse(refusal)
}

/** The control routes are for local programs that know the credential; undefined for those. */
export function refuseControl(
  { headers }: Pick<PlainRequest, 'headers'>,
  { credential }: Pick<ControlRequestOptions, 'credential'>,
): PlainAnswer | undefined {
  // A page in a browser may reach loopback: it cannot leave out Origin, nor name another host than the one it resolved.
  if (!isLocalControl({ origin: headers.get('origin'), host: headers.get('host') })) {
    return refusalOf(403, 'Forbidden', 'control routes answer local programs only')
  }
  const known = credential.isControlAuthorization(headers.get('authorization') ?? undefined)
  return known ? undefined : refusalOf(401, 'Unauthorized', WRONG_CREDENTIAL)
}

function refusalOf(status: number, code: string, message: string): PlainAnswer {
  const body = JSON.stringify({ error: { code, message } })
  return { status, headers: { 'Content-Type': 'application/json' }, body }
}

export function isLocalControl({
  origin,
  host,
}: {
  readonly origin?: string | null
  readonly host?: string | null
}): boolean {
  return (origin ?? undefined) === undefined && isLoopbackHost(host ?? '')
}

function isLoopbackHost(header: string | null): boolean {
  return /^(?:127\.0\.0\.1|localhost)(?::\d+)?$/.test(header ?? '')
}
