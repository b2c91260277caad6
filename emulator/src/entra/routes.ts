import { type Context, Hono } from 'hono'
import type { EmulatorContext } from '../core/index.ts'
import { errorResponse, TokenServiceError, unknownTenant } from './errors.ts'
import { securityHeaders } from './headers.ts'
import { instanceDiscovery, isCommonTenant, openIdConfiguration } from './metadata.ts'
import { tokenSigner } from './signer.ts'
import { AssertionNotCoveredError, authenticate, type EndpointVersion, readClientCredentials } from './token-request.ts'
import { issueToken } from './tokens.ts'

const METADATA_CACHE = 'max-age=86400, private'

/** The endpoints of Entra that a confidential client and a resource server use. */
export function entraRoutes(ctx: EmulatorContext): Hono {
  const app = new Hono()
  const metadata = (c: Context, body: unknown) =>
    c.json(body as Record<string, unknown>, 200, {
      ...securityHeaders(ctx.random.uuid(), METADATA_CACHE),
      'Access-Control-Allow-Origin': '*',
      'Access-Control-Allow-Methods': 'GET, OPTIONS',
    })
  /** The tenant of the path in the spelling that the answers use. */
  const tenantOf = (c: Context, commonAllowed: boolean) => {
    const tenant = (c.req.param('tenant') ?? '').toLowerCase()
    if (tenant !== ctx.seed.tenantId && !(commonAllowed && isCommonTenant(tenant))) throw unknownTenant(tenant)
    return tenant
  }

  app.onError((error, c) => {
    const correlationId = c.req.header('client-request-id') ?? ctx.random.uuid()
    if (error instanceof TokenServiceError) return errorResponse(ctx, error, correlationId)
    if (error instanceof AssertionNotCoveredError) return notCovered(error.message)
    throw error
  })
  app.notFound((c) => notCovered(`Skerry does not cover ${c.req.method} ${new URL(c.req.url).pathname} of Entra.`))

  app.get('/common/discovery/instance', (c) => {
    const endpoint = c.req.query('authorization_endpoint') ?? ''
    const tenant = endpoint.match(/^https:\/\/[^/]+\/([^/]+)\//)?.[1] ?? 'common'
    return metadata(c, instanceDiscovery(tenant))
  })
  app.get('/:tenant/v2.0/.well-known/openid-configuration', (c) =>
    metadata(c, openIdConfiguration(tenantOf(c, true), 'v2')),
  )
  app.get('/:tenant/.well-known/openid-configuration', (c) => metadata(c, openIdConfiguration(tenantOf(c, true), 'v1')))
  app.on('GET', ['/:tenant/discovery/v2.0/keys', '/:tenant/discovery/keys'], async (c) => {
    tenantOf(c, true)
    return metadata(c, { keys: [(await tokenSigner(ctx)).jwk] })
  })

  const token = async (c: Context, version: EndpointVersion) => {
    tenantOf(c, false)
    const form = new URLSearchParams(await c.req.text())
    const authorization = c.req.header('authorization') ?? null
    return clientCredentials(ctx, version, form, authorization)
  }
  app.post('/:tenant/oauth2/v2.0/token', (c) => token(c, 'v2'))
  app.post('/:tenant/oauth2/token', (c) => token(c, 'v1'))
  return app
}

async function clientCredentials(
  ctx: EmulatorContext,
  version: EndpointVersion,
  form: URLSearchParams,
  authorization: string | null,
): Promise<Response> {
  const journal = (outcome: 'allowed' | 'denied', subject: string, summary: string, error?: TokenServiceError) =>
    ctx.journal.write({
      service: 'entra',
      operation: 'token',
      outcome,
      subject,
      summary,
      ...(error && { answer: { status: error.status, code: `AADSTS${error.aadsts}` } }),
    })
  let clientId = form.get('client_id') ?? '(none)'
  try {
    const credentials = readClientCredentials(version, form, authorization)
    clientId = credentials.clientId
    const principal = authenticate(ctx, credentials)
    const issued = await issueToken(ctx, { principal, resource: credentials.resource })
    journal('allowed', principal.objectId, `issued a token for ${credentials.resource} to ${principal.displayName}`)
    const { expiresIn, expiresOn, notBefore, accessToken } = issued
    // The older endpoint writes every number as a string.
    const body =
      version === 'v2'
        ? { token_type: 'Bearer', expires_in: expiresIn, ext_expires_in: expiresIn, access_token: accessToken }
        : {
            token_type: 'Bearer',
            expires_in: String(expiresIn),
            ext_expires_in: String(expiresIn),
            expires_on: String(expiresOn),
            not_before: String(notBefore),
            resource: credentials.resource,
            access_token: accessToken,
          }
    return Response.json(body, { headers: securityHeaders(ctx.random.uuid(), 'no-store, no-cache') })
  } catch (error) {
    if (error instanceof TokenServiceError) {
      journal('denied', clientId, error.message, error)
    }
    throw error
  }
}

function notCovered(message: string): Response {
  return Response.json({ error: 'SkerryNotCovered', error_description: message }, { status: 501 })
}
