import { Hono } from 'hono'
import { type EmulatorContext, toResponse } from '../core/index.ts'
import { answer, type Routes } from './answer.ts'
import { requireApiVersion } from './api-version.ts'
import type { AttestCalls } from './attest-calls.ts'
import { ATTESTATION_TYPES } from './attestation-types.ts'
import type { Gate } from './caller.ts'
import { requestIdFor, requireProvider } from './entrance.ts'
import { AttestationError, notCovered, unauthorized } from './errors.ts'
import { managementRoutes } from './management-routes.ts'
import { openIdConfiguration } from './metadata.ts'
import type { ServiceEvidence } from './service-evidence.ts'
import { jwks } from './signing-key.ts'

export interface RouteOptions {
  /** The evidence that is verified. */
  readonly calls: AttestCalls
  readonly gate: Gate
  /** Where the signing keys live; absent: their certificates do not say. */
  readonly evidence?: ServiceEvidence
}

/** The paths of Azure Attestation, without regard to case. */
export function attestationRoutes(ctx: EmulatorContext, { calls, gate, evidence }: RouteOptions): Hono<Routes> {
  const app = new Hono<Routes>({ getPath: (request) => new URL(request.url).pathname.toLowerCase() })

  app.use(async (c, next) => {
    const host = new URL(c.req.url).hostname.toLowerCase()
    c.set('issuer', `https://${host}`)
    c.set('requestId', requestIdFor(ctx, c.req.header('traceparent') ?? null))
    c.set('provider', requireProvider(ctx, host))
    await next()
  })
  app.onError((error, c) => {
    if (!(error instanceof AttestationError)) throw error
    return answer(c, error.status, error.body())
  })
  app.notFound((c) =>
    answer(c, 404, new AttestationError(404, 'NotFound', 'The requested path does not exist.').body()),
  )

  for (const path of calls.paths) app.post(path, async (c) => toResponse(await calls.answer(c.req.raw)))
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
