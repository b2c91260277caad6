import { Hono } from 'hono'
import type { EmulatorContext } from '../core/index.ts'
import { answer, type Routes } from './answer.ts'
import { requireApiVersion } from './api-version.ts'
import { attest } from './attest.ts'
import { ATTESTATION_TYPES } from './attestation-types.ts'
import type { Gate } from './caller.ts'
import { AttestationError, notCovered, unauthorized } from './errors.ts'
import type { EvidenceKind, EvidenceRequest } from './evidence-kind.ts'
import { managementRoutes } from './management-routes.ts'
import { openIdConfiguration } from './metadata.ts'
import { findProvider } from './providers.ts'
import type { ServiceEvidence } from './service-evidence.ts'
import { jwks } from './signing-key.ts'

export interface RouteOptions {
  readonly kinds: readonly EvidenceKind[]
  readonly gate: Gate
  /** Where the signing keys live; absent: their certificates do not say. */
  readonly evidence?: ServiceEvidence
}

/** The paths of Azure Attestation, without regard to case. */
export function attestationRoutes(ctx: EmulatorContext, { kinds, gate, evidence }: RouteOptions): Hono<Routes> {
  const app = new Hono<Routes>({ getPath: (request) => new URL(request.url).pathname.toLowerCase() })

  app.use(async (c, next) => {
    const host = new URL(c.req.url).hostname.toLowerCase()
    const provider = findProvider(ctx, host)
    c.set('issuer', `https://${host}`)
    c.set('requestId', requestId(ctx, c.req.header('traceparent')))
    if (provider === undefined) throw noSuchProvider(ctx, host)
    c.set('provider', provider)
    await next()
  })
  app.onError((error, c) => {
    if (!(error instanceof AttestationError)) throw error
    return answer(c, error.status, error.body())
  })
  app.notFound((c) =>
    answer(c, 404, new AttestationError(404, 'NotFound', 'The requested path does not exist.').body()),
  )

  for (const kind of kinds) {
    app.post(`/attest/${kind.type.toLowerCase()}`, async (c) => {
      requireApiVersion(c.req.query('api-version'), `attest/${kind.type}`)
      const call = {
        provider: c.get('provider'),
        issuer: c.get('issuer'),
        requestId: c.get('requestId'),
        body: await c.req.text(),
      }
      return answer(c, 200, { token: await attest(ctx, kind as EvidenceKind<EvidenceRequest>, call) })
    })
  }
  for (const type of [...ATTESTATION_TYPES, 'Pluton']) {
    app.post(`/attest/${type.toLowerCase()}`, async (c) => {
      requireApiVersion(c.req.query('api-version'), `attest/${type}`)
      // The only kind of evidence for which the service wants to know who asks.
      if (type === 'Tpm' && c.req.header('authorization') === undefined) throw unauthorized()
      throw notCovered(`the attestation of ${type}`)
    })
  }
  // The specification of 2025 wants an api-version here, too; nobody sends one.
  app.get('/certs', async (c) => answer(c, 200, await jwks(ctx, c.get('issuer'), evidence)))
  app.get('/.well-known/openid-configuration', (c) => answer(c, 200, openIdConfiguration(c.get('issuer'))))
  managementRoutes(app, ctx, gate)
  return app
}

/** W3C trace form, with the ids of the caller's `traceparent` when it sent one. */
function requestId(ctx: EmulatorContext, traceparent: string | undefined): string {
  const sent = traceparent?.match(/^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/)
  const trace = sent?.[1] ?? ctx.random.bytes(16).toString('hex')
  const span = sent?.[2] ?? ctx.random.bytes(8).toString('hex')
  return `00-${trace}-${span}-00`
}

/** On Azure the name of a provider that nobody made does not resolve; over one wire for all names it is a 404. */
function noSuchProvider(ctx: EmulatorContext, host: string): AttestationError {
  ctx.journal.write({
    service: 'maa',
    operation: 'resolve',
    outcome: 'failed',
    subject: host,
    summary: `there is no attestation provider ${host} in this emulator`,
    action: 'use a shared provider such as sharedweu.weu.attest.azure.net, or create the provider through ARM',
    answer: { status: 404, code: 'SkerryNoSuchProvider' },
  })
  return new AttestationError(404, 'SkerryNoSuchProvider', `There is no attestation provider ${host}.`)
}
