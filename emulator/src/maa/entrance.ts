import type { AttestationProviderRecord, EmulatorContext } from '../core/index.ts'
import { AttestationError } from './errors.ts'
import { findProvider } from './providers.ts'

/** W3C trace form, with the ids of the caller's `traceparent` when it sent one. */
export function requestIdFor(ctx: EmulatorContext, traceparent: string | null): string {
  const sent = traceparent?.match(/^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/)
  if (sent) return `00-${sent[1]}-${sent[2]}-00`
  const ids = ctx.random.bytes(24).toString('hex')
  return `00-${ids.slice(0, 32)}-${ids.slice(32)}-00`
}

/**
 * On Azure the name of a provider that nobody made does not resolve; over one wire for all names it is a 404.
 * @throws AttestationError
 */
export function requireProvider(ctx: EmulatorContext, host: string): AttestationProviderRecord {
  const provider = findProvider(ctx, host)
  if (provider !== undefined) return provider
  ctx.journal.write({
    service: 'maa',
    operation: 'resolve',
    outcome: 'failed',
    subject: host,
    summary: `there is no attestation provider ${host} in this emulator`,
    action: 'use a shared provider such as sharedweu.weu.attest.azure.net, or create the provider through ARM',
    answer: { status: 404, code: 'SkerryNoSuchProvider' },
  })
  throw new AttestationError(404, 'SkerryNoSuchProvider', `There is no attestation provider ${host}.`)
}
