import { Hono } from 'hono'
import type { EmulatorContext } from '../core/index.ts'
import { issueToken, TokenServiceError } from '../entra/index.ts'
import { type ChosenIdentity, chooseIdentity, type IdentityRefusal, type IdentitySelector } from './identity.ts'

/** Where the token service of App Service and Functions answers, on the plain port. */
export const MSI_PATH = '/.skerry/msi/token'

/** Which identities a secret of the token service stands for. */
export type HeaderIdentity = 'all' | { readonly principalId: string }

export interface AppServiceOptions {
  /** Whose secret this is; undefined when it is nobody's. */
  readonly readHeader: (secret: string) => HeaderIdentity | undefined
}

/** The two generations of the contract: how the secret and the identity are named, and how the end is written. */
const VERSIONS: Readonly<
  Record<string, { readonly secret: string; readonly clientId: string; readonly old: boolean }>
> = {
  '2019-08-01': { secret: 'x-identity-header', clientId: 'client_id', old: false },
  '2017-09-01': { secret: 'secret', clientId: 'clientid', old: true },
}

/**
 * The token service that App Service and Functions give their apps ("How to use managed identities for App Service and
 * Azure Functions", REST endpoint reference): `GET ?resource=&api-version=2019-08-01` with the secret as
 * `X-IDENTITY-HEADER`, and `client_id`, `principal_id` or `mi_res_id` to choose; 2017-09-01 with `secret` and `clientid`.
 */
export function appServiceIdentity(
  ctx: EmulatorContext,
  options: AppServiceOptions,
): (request: Request) => Promise<Response> {
  const app = new Hono()
  app.get(MSI_PATH, async (c) => {
    const refuse = (status: 400 | 401, message: string, subject?: string) => {
      ctx.journal.write({
        service: 'imds',
        operation: 'token',
        outcome: 'denied',
        summary: `App Service: ${message}`,
        answer: { status },
        ...(subject !== undefined && { subject }),
      })
      return c.json({ statusCode: status, message }, status)
    }
    const asked = c.req.query('api-version') ?? ''
    const version = Object.hasOwn(VERSIONS, asked) ? VERSIONS[asked] : undefined
    if (version === undefined) return refuse(400, "The api-version must be '2019-08-01' or '2017-09-01'.")
    const identity = options.readHeader(c.req.header(version.secret) ?? '')
    if (identity === undefined) return refuse(401, `The header ${version.secret} is missing or wrong.`)
    const resource = c.req.query('resource')
    if (!resource) return refuse(400, "The query parameter 'resource' is missing.")

    const selector: IdentitySelector = {
      ...named('clientId', c.req.query(version.clientId)),
      ...named('objectId', c.req.query('principal_id') ?? c.req.query('object_id')),
      ...named('resourceId', c.req.query('mi_res_id') ?? c.req.query('msi_res_id')),
    }
    if (Object.keys(selector).length > 1)
      return refuse(400, 'Only one of client_id, principal_id and mi_res_id may be given.')
    const chosen = choose(ctx, identity, selector)
    if (typeof chosen === 'string') {
      const message =
        chosen === 'ambiguous'
          ? 'Several identities are assigned: client_id, principal_id or mi_res_id must choose one.'
          : 'No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.'
      return refuse(400, message, Object.values(selector)[0])
    }
    const { principal, resourceId } = chosen
    try {
      const issued = await issueToken(ctx, { principal, resource, managedIdentityId: resourceId })
      ctx.journal.write({
        service: 'imds',
        operation: 'token',
        outcome: 'allowed',
        subject: principal.objectId,
        summary: `issued a token for ${resource} to the managed identity ${principal.displayName}, as App Service does`,
      })
      const token = { access_token: issued.accessToken, resource, token_type: 'Bearer', client_id: principal.clientId }
      return c.json({ ...token, expires_on: version.old ? americanDate(issued.expiresOn) : String(issued.expiresOn) })
    } catch (error) {
      if (!(error instanceof TokenServiceError)) throw error
      return refuse(400, error.message, principal.objectId)
    }
  })
  app.notFound((c) => c.json({ statusCode: 404, message: 'GET only.' }, 404))
  return async (request) => await app.fetch(request)
}

function choose(
  ctx: EmulatorContext,
  identity: HeaderIdentity,
  selector: IdentitySelector,
): ChosenIdentity | IdentityRefusal {
  const caller = { door: 'wire' } as const
  if (identity === 'all') return chooseIdentity(ctx, caller, selector)
  // The secret of one identity chooses it; a selector may only say the same.
  const own = chooseIdentity(ctx, caller, { objectId: identity.principalId })
  if (typeof own === 'string' || Object.keys(selector).length === 0) return own
  const asked = chooseIdentity(ctx, caller, selector)
  return typeof asked !== 'string' && asked.principal.objectId === own.principal.objectId ? own : 'notFound'
}

function named(name: keyof IdentitySelector, value: string | undefined): IdentitySelector {
  return value ? { [name]: value } : {}
}

/** `01/31/2026 06:05:04 PM +00:00`, as the first version has it. */
function americanDate(seconds: number): string {
  const time = new Date(seconds * 1000)
  const two = (value: number) => String(value).padStart(2, '0')
  const hours = time.getUTCHours()
  const date = `${two(time.getUTCMonth() + 1)}/${two(time.getUTCDate())}/${time.getUTCFullYear()}`
  return `${date} ${two(hours % 12 || 12)}:${two(time.getUTCMinutes())}:${two(time.getUTCSeconds())} ${hours < 12 ? 'AM' : 'PM'} +00:00`
}
