import { withoutTrailing } from '../core/trim-end.ts'

/**
 * The resources (audiences) that this tenant issues tokens for: those of the services that Skerry emulates, in the
 * forms in which clients ask for them.
 */
const RESOURCES: ReadonlySet<string> = new Set([
  'https://vault.azure.net',
  'https://managedhsm.azure.net',
  'https://management.azure.com',
  'https://management.core.windows.net',
  'https://attest.azure.net',
  'https://containerregistry.azure.net',
  'https://graph.microsoft.com',
])

/**
 * What a managed identity's token is for that stands for an application ("Configure an application to trust a managed
 * identity"): the one resource here whose tokens are of version 2.0.
 */
export const TOKEN_EXCHANGE = 'api://AzureADTokenExchange'

/**
 * The audience for a resource as asked for, without trailing slashes; undefined when the tenant does not know it.
 * `https://management.azure.com/`, which ARM clients ask for, and the same without a slash are one resource.
 */
export function audienceOf(resource: string): string | undefined {
  const audience = withoutTrailing(resource, '/').toLowerCase()
  if (audience === TOKEN_EXCHANGE.toLowerCase()) return TOKEN_EXCHANGE
  return RESOURCES.has(audience) ? audience : undefined
}

const DEFAULT_SCOPE = '/.default'

/** What MSAL for Go and Java add to every scope (OpenID Connect Core 1.0, 3.1.2.1 and 11): nothing for an application. */
const OPENID_SCOPES: ReadonlySet<string> = new Set(['openid', 'profile', 'email', 'offline_access'])

/** The resource of a client-credentials scope: `https://vault.azure.net/.default`. Undefined when it is not of that form. */
export function resourceOfScope(scope: string): string | undefined {
  const wanted = scope.split(' ').filter((one) => one !== '' && !OPENID_SCOPES.has(one))
  const [only] = wanted
  if (wanted.length !== 1 || only === undefined || !only.endsWith(DEFAULT_SCOPE)) return undefined
  return only.slice(0, -DEFAULT_SCOPE.length)
}

/** What a user's client asks for: one resource, with the scopes of OpenID Connect that came with it. */
export interface UserScope {
  /** Undefined: it asks only who the user is. */
  readonly resource: string | undefined
  /** `openid`, `offline_access` … */
  readonly openId: ReadonlySet<string>
  /** As asked, without those of OpenID Connect. */
  readonly asked: readonly string[]
}

/**
 * The scopes of a user's client: `https://vault.azure.net/.default`, or permissions of one resource by name
 * (`https://vault.azure.net/user_impersonation`). Undefined when they are of two resources, or of no resource at all.
 */
export function userScope(scope: string): UserScope | undefined {
  const all = scope.split(' ').filter((one) => one !== '')
  const asked = all.filter((one) => !OPENID_SCOPES.has(one))
  const resources = new Set(asked.map((one) => one.slice(0, Math.max(0, one.lastIndexOf('/')))))
  const [resource] = resources
  if (resources.size > 1 || resource === '' || all.length === 0) return undefined
  return { resource, openId: new Set(all.filter((one) => OPENID_SCOPES.has(one))), asked }
}
