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
])

/**
 * The audience for a resource as asked for, without trailing slashes; undefined when the tenant does not know it.
 * `https://management.azure.com/`, which ARM clients ask for, and the same without a slash are one resource.
 */
export function audienceOf(resource: string): string | undefined {
  const audience = resource.replace(/\/+$/, '').toLowerCase()
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
