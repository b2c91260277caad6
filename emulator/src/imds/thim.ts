import type { Context } from 'hono'
import type { EmulatorContext } from '../core/index.ts'
import type { VirtualProcessor } from '../psp/types.ts'

/** The path of the host's AMD certificates (Microsoft Learn, "Trusted Hardware Identity Management"). */
export const THIM_PATH = '/metadata/THIM/amd/certification'

/**
 * `GET` of that path: the certificates for the host's reported TCB, no api-version. What THIM says to a request that it
 * refuses is not published; these are the rules and the words of the instance metadata service that it is part of.
 */
export async function amdCertification(ctx: EmulatorContext, c: Context, psp: VirtualProcessor): Promise<Response> {
  if (c.req.method !== 'GET') return refuse(ctx, c, 405, 'Method not allowed', { Allow: 'GET' })
  if (c.req.header('metadata')?.toLowerCase() !== 'true') {
    return refuse(ctx, c, 400, 'Bad request: . Required metadata header not specified')
  }
  // A request that came through a proxy may not be of this host.
  if (c.req.header('x-forwarded-for') !== undefined) {
    return refuse(ctx, c, 400, 'Bad request: . X-Forwarded-For header is not allowed')
  }
  const failed = psp.failedAnswer('thim')
  if (failed !== undefined) {
    const { status, retryAfterSeconds } = failed
    const headers = retryAfterSeconds === undefined ? undefined : { 'Retry-After': String(retryAfterSeconds) }
    return refuse(ctx, c, status, status === 429 ? 'Too many requests' : 'Internal error', headers)
  }
  const certification = await psp.thim()
  ctx.journal.write({
    service: 'imds',
    operation: 'certification',
    outcome: 'done',
    summary: `handed out the certificate for TCB ${certification.tcbm}`,
    details: { tcbm: certification.tcbm },
  })
  return c.json(certification)
}

function refuse(
  ctx: EmulatorContext,
  c: Context,
  status: number,
  error: string,
  headers: Record<string, string> = {},
): Response {
  ctx.journal.write({
    service: 'imds',
    operation: 'certification',
    outcome: 'failed',
    subject: c.req.method,
    summary: `${error} (${status})`,
    answer: { status },
  })
  return c.newResponse(JSON.stringify({ error }), status as 400, { ...headers })
}
