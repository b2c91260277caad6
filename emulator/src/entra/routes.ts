import { type Context, Hono } from 'hono'
import type { Caller, EmulatorContext } from '../core/index.ts'
import { createIssuerKeys } from './assertions/issuer-keys.ts'
import { deviceAuthorization } from './device-endpoint.ts'
import { errorResponse, TokenServiceError, unknownTenant } from './errors.ts'
import { securityHeaders } from './headers.ts'
import { instanceDiscovery, isCommonTenant, openIdConfiguration, userRealm } from './metadata.ts'
import { authorizePage } from './pages/authorize.ts'
import { devicePage } from './pages/device.ts'
import type { Visitor } from './pages/sign-in.ts'
import { tokenSigner } from './signer.ts'
import { createTokenEndpoint } from './token-endpoint.ts'
import type { EndpointVersion } from './token-form.ts'
import { DEFAULT_DOMAIN } from './users.ts'

const METADATA_CACHE = 'max-age=86400, private'

export interface EntraOptions {
  /** Where a person finds the page of the device flow now; undefined when nothing local listens. */
  readonly devicePage?: () => string | undefined
}

type Env = { Bindings: { caller: Caller } }

/** The endpoints of Entra that clients and resource servers use, and the pages where users sign in. */
export function entraRoutes(ctx: EmulatorContext, options: EntraOptions = {}): Hono<Env> {
  const app = new Hono<Env>()
  const tokenEndpoint = createTokenEndpoint(ctx, createIssuerKeys(ctx))
  const metadata = (c: Context, body: unknown) =>
    c.json(body as Record<string, unknown>, 200, {
      ...securityHeaders(ctx.random.uuid(), METADATA_CACHE),
      'Access-Control-Allow-Origin': '*',
      'Access-Control-Allow-Methods': 'GET, OPTIONS',
    })
  /** The tenant of the path in the spelling that the answers use: its id, also when it was named by its domain. */
  const tenantOf = (c: Context) => {
    const tenant = (c.req.param('tenant') ?? '').toLowerCase()
    if (tenant === DEFAULT_DOMAIN) return ctx.seed.tenantId
    if (tenant !== ctx.seed.tenantId && !isCommonTenant(tenant)) throw unknownTenant(tenant)
    return tenant
  }

  app.onError((error, c) => {
    const correlationId = c.req.header('client-request-id') ?? ctx.random.uuid()
    if (error instanceof TokenServiceError) return errorResponse(ctx, error, correlationId)
    throw error
  })
  app.notFound((c) => notCovered(`Skerry does not cover ${c.req.method} ${new URL(c.req.url).pathname} of Entra.`))

  app.get('/common/discovery/instance', (c) => {
    const endpoint = c.req.query('authorization_endpoint') ?? ''
    const tenant = endpoint.match(/^https:\/\/[^/]+\/([^/]+)\//)?.[1] ?? 'common'
    return metadata(c, instanceDiscovery(tenant))
  })
  app.get('/:tenant/v2.0/.well-known/openid-configuration', (c) => metadata(c, openIdConfiguration(tenantOf(c), 'v2')))
  app.get('/:tenant/.well-known/openid-configuration', (c) => metadata(c, openIdConfiguration(tenantOf(c), 'v1')))
  app.on('GET', ['/:tenant/discovery/v2.0/keys', '/:tenant/discovery/keys'], async (c) => {
    tenantOf(c)
    return metadata(c, { keys: [(await tokenSigner(ctx)).jwk] })
  })
  // Clients write it in two cases.
  app.get('/common/:realm{[uU]ser[rR]ealm}/:user', (c) =>
    c.json(userRealm(ctx, c.req.param('user')), 200, securityHeaders(ctx.random.uuid(), 'no-store, no-cache')),
  )

  const token = async (c: Context<Env>, version: EndpointVersion) =>
    tokenEndpoint({
      version,
      tenant: tenantOf(c),
      form: new URLSearchParams(await c.req.text()),
      authorization: c.req.header('authorization'),
    })
  app.post('/:tenant/oauth2/v2.0/token', (c) => token(c, 'v2'))
  app.post('/:tenant/oauth2/token', (c) => token(c, 'v1'))

  const device = async (c: Context<Env>, version: EndpointVersion) => {
    tenantOf(c)
    return deviceAuthorization(ctx, version, new URLSearchParams(await c.req.text()), options.devicePage?.())
  }
  app.post('/:tenant/oauth2/v2.0/devicecode', (c) => device(c, 'v2'))
  app.post('/:tenant/oauth2/devicecode', (c) => device(c, 'v1'))

  app.on(['GET', 'POST'], '/common/oauth2/deviceauth', (c) => devicePage(ctx, c.req.raw, visitor(c)))
  app.on(['GET', 'POST'], '/:tenant/oauth2/v2.0/authorize', (c) => {
    tenantOf(c)
    return authorizePage(ctx, c.req.raw, visitor(c))
  })
  return app
}

/** Code in this process is its owner's. Through any other door may come a workload, which must not sign users in. */
function visitor(c: Context<Env>): Visitor {
  return { owner: c.env.caller.door === 'process' }
}

function notCovered(message: string): Response {
  return Response.json({ error: 'SkerryNotCovered', error_description: message }, { status: 501 })
}
