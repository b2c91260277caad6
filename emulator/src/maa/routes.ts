import { type Context, Hono } from 'hono'
import type { EmulatorContext } from '../core/index.ts'
import { requireApiVersion } from './api-version.ts'
import { attestSevSnp } from './attest.ts'
import { AttestationError, notCovered } from './errors.ts'
import type { EvidenceVerifier } from './evidence/verifier.ts'
import { openIdConfiguration } from './metadata.ts'
import { DEFAULT_SEV_SNP_POLICY, unsignedPolicyJws } from './policy.ts'
import { findProvider } from './providers.ts'
import { jwks } from './signing-key.ts'
import { policyToken } from './token.ts'

/** A version of the service that answers as this one does. */
const SERVICE_VERSION = '1.11.02153.563'

interface Variables {
  issuer: string
  requestId: string
  shared: boolean
}

type Routes = { Variables: Variables }

/**
 * The paths of Azure Attestation, without regard to case. `verifier` is asked for when the first evidence comes in:
 * what it trusts is made then, not at start.
 */
export function attestationRoutes(ctx: EmulatorContext, verifier: () => Promise<EvidenceVerifier>): Hono<Routes> {
  const app = new Hono<Routes>({ getPath: (request) => new URL(request.url).pathname.toLowerCase() })

  app.use(async (c, next) => {
    const host = new URL(c.req.url).hostname.toLowerCase()
    const provider = findProvider(ctx, host)
    c.set('issuer', `https://${host}`)
    c.set('shared', provider?.trustModel === 'Shared')
    c.set('requestId', requestId(ctx, c.req.header('traceparent')))
    if (provider === undefined) throw noSuchProvider(ctx, host)
    await next()
  })
  app.onError((error, c) => {
    if (!(error instanceof AttestationError)) throw error
    return answer(c, error.status, error.body())
  })
  app.notFound((c) =>
    answer(c, 404, new AttestationError(404, 'NotFound', 'The requested path does not exist.').body()),
  )

  app.post('/attest/sevsnpvm', async (c) => {
    requireApiVersion(c.req.query('api-version'))
    const call = { issuer: c.get('issuer'), requestId: c.get('requestId'), body: await c.req.text() }
    return answer(c, 200, { token: await attestSevSnp(ctx, await verifier(), call) })
  })
  app.get('/certs', async (c) => answer(c, 200, await jwks(ctx, c.get('issuer'))))
  app.get('/.well-known/openid-configuration', (c) => answer(c, 200, openIdConfiguration(c.get('issuer'))))
  app.get('/policies/sevsnpvm', async (c) => {
    requireApiVersion(c.req.query('api-version'))
    // A shared provider's policy is public knowledge and cannot be changed; others want a token of Entra's.
    if (!c.get('shared')) throw notCovered('policies of attestation providers that are not shared')
    const claims = { 'x-ms-policy': unsignedPolicyJws(DEFAULT_SEV_SNP_POLICY) }
    return answer(c, 200, { token: await policyToken(ctx, c.get('issuer'), claims) })
  })
  for (const path of [
    '/attest/*',
    '/policies/*',
    '/certificates',
    '/certificates:add',
    '/certificates:remove',
    '/tcbbaselines/*',
  ]) {
    app.all(path, (c) => {
      throw notCovered(`${c.req.method} ${new URL(c.req.url).pathname} of Azure Attestation`)
    })
  }
  return app
}

function answer(c: Context<Routes>, status: number, body: unknown): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: {
      'Content-Type': 'application/json; charset=utf-8',
      Server: 'Kestrel',
      'x-ms-maa-service-version': SERVICE_VERSION,
      'x-ms-request-id': c.get('requestId'),
    },
  })
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
