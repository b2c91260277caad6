import type { Context } from 'hono'
import type { EmulatorContext } from '../core/index.ts'
import type { CertificateService } from '../psp/fault-plan.ts'
import type { VirtualProcessor } from '../psp/types.ts'

/** Certificates and lists in DER. */
export function binary(c: Context, der: Uint8Array): Response {
  return c.body(Uint8Array.from(der), 200, { 'Content-Type': 'application/octet-stream' })
}

export function pemText(c: Context, pem: string): Response {
  return c.body(pem, 200, { 'Content-Type': 'application/x-pem-file' })
}

/** An empty answer; the journal has what was asked for, and why it was not given. */
export function refuse(ctx: EmulatorContext, c: Context, status: 400 | 403 | 404, summary: string): Response {
  note(ctx, c, status, summary)
  return c.body(null, status)
}

export const NO_SUCH_CERTIFICATE = 'no such certificate: the product, the chip or the TCB is not of this machine'

/** The error that the fault plan has for this answer. */
export function plannedFailure(
  ctx: EmulatorContext,
  c: Context,
  psp: VirtualProcessor,
  service: Extract<CertificateService, 'kds' | 'certificateCache'>,
): Response | undefined {
  const failed = psp.failedAnswer(service)
  if (failed === undefined) return undefined
  const { status, retryAfterSeconds } = failed
  note(ctx, c, status, 'the fault plan has this answer fail')
  return new Response(null, {
    status,
    ...(retryAfterSeconds !== undefined && { headers: { 'Retry-After': String(retryAfterSeconds) } }),
  })
}

function note(ctx: EmulatorContext, c: Context, status: number, summary: string): void {
  const { pathname, search, hostname } = new URL(c.req.url)
  ctx.journal.write({
    service: 'kds',
    operation: 'certificate',
    outcome: 'failed',
    subject: `${hostname}${pathname}${search}`,
    summary,
    answer: { status },
  })
}
