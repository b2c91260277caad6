import type { EmulatorContext } from '../core/index.ts'
import { issuerOf } from './tokens.ts'
import { DEFAULT_DOMAIN, findUser, listUsers } from './users.ts'

const LOGIN = 'https://login.microsoftonline.com'
const COMMON_TENANTS: ReadonlySet<string> = new Set(['common', 'organizations'])

/** The OpenID Provider metadata of a tenant; version 1 names the issuer of the tokens that resources receive. */
export function openIdConfiguration(tenant: string, version: 'v1' | 'v2'): Record<string, unknown> {
  const oauth = version === 'v2' ? `${LOGIN}/${tenant}/oauth2/v2.0` : `${LOGIN}/${tenant}/oauth2`
  // The metadata of `common` stands for every tenant and has a placeholder in the issuer.
  const tenantInIssuer = COMMON_TENANTS.has(tenant) ? '{tenantid}' : tenant
  return {
    token_endpoint: `${oauth}/token`,
    token_endpoint_auth_methods_supported: ['client_secret_post', 'private_key_jwt', 'client_secret_basic'],
    jwks_uri: version === 'v2' ? `${LOGIN}/${tenant}/discovery/v2.0/keys` : `${LOGIN}/common/discovery/keys`,
    response_modes_supported: ['query', 'fragment', 'form_post'],
    subject_types_supported: ['pairwise'],
    id_token_signing_alg_values_supported: ['RS256'],
    response_types_supported: ['code', 'id_token', 'code id_token', 'id_token token'],
    scopes_supported: ['openid', 'profile', 'email', 'offline_access'],
    issuer: version === 'v2' ? `${LOGIN}/${tenantInIssuer}/v2.0` : issuerOf(tenantInIssuer),
    request_uri_parameter_supported: false,
    userinfo_endpoint: 'https://graph.microsoft.com/oidc/userinfo',
    authorization_endpoint: `${oauth}/authorize`,
    device_authorization_endpoint: `${oauth}/devicecode`,
    http_logout_supported: true,
    frontchannel_logout_supported: true,
    end_session_endpoint: `${oauth}/logout`,
    claims_supported: [
      ...['sub', 'iss', 'cloud_instance_name', 'cloud_instance_host_name', 'cloud_graph_host_name', 'msgraph_host'],
      ...['aud', 'exp', 'iat', 'auth_time', 'acr', 'nonce', 'preferred_username', 'name', 'tid', 'ver', 'at_hash'],
      ...['c_hash', 'email'],
    ],
    kerberos_endpoint: `${LOGIN}/${tenant}/kerberos`,
    tenant_region_scope: COMMON_TENANTS.has(tenant) ? null : 'EU',
    cloud_instance_name: 'microsoftonline.com',
    cloud_graph_host_name: 'graph.windows.net',
    msgraph_host: 'graph.microsoft.com',
    rbac_url: 'https://pas.windows.net',
  }
}

/** Which host names are one cloud: what MSAL asks before it trusts an authority. */
export function instanceDiscovery(tenant: string): Record<string, unknown> {
  const cloud = (network: string, cache: string, ...aliases: string[]) => ({
    preferred_network: network,
    preferred_cache: cache,
    aliases,
  })
  return {
    tenant_discovery_endpoint: `${LOGIN}/${tenant}/v2.0/.well-known/openid-configuration`,
    'api-version': '1.1',
    metadata: [
      cloud(
        'login.microsoftonline.com',
        'login.windows.net',
        ...['login.microsoftonline.com', 'login.windows.net', 'login.microsoft.com', 'sts.windows.net'],
      ),
      cloud(
        'login.partner.microsoftonline.cn',
        'login.partner.microsoftonline.cn',
        ...['login.partner.microsoftonline.cn', 'login.chinacloudapi.cn'],
      ),
      cloud('login.microsoftonline.de', 'login.microsoftonline.de', 'login.microsoftonline.de'),
      cloud(
        'login.microsoftonline.us',
        'login.microsoftonline.us',
        ...['login.microsoftonline.us', 'login.usgovcloudapi.net'],
      ),
      cloud('login-us.microsoftonline.com', 'login-us.microsoftonline.com', 'login-us.microsoftonline.com'),
    ],
  }
}

/** What a client asks before it sends a password: whether the user's domain is managed here, or elsewhere, or unknown. */
export function userRealm(ctx: EmulatorContext, user: string): Record<string, unknown> {
  const domain = user.split('@').at(-1)?.toLowerCase() ?? ''
  const domains = [
    DEFAULT_DOMAIN,
    ...listUsers(ctx).map((one) => one.userPrincipalName.split('@').at(-1)?.toLowerCase()),
  ]
  const isManaged = findUser(ctx, user) !== undefined || domains.includes(domain)
  return {
    ver: '1.0',
    account_type: isManaged ? 'Managed' : 'Unknown',
    domain_name: domain,
    cloud_instance_name: 'microsoftonline.com',
    cloud_audience_urn: 'urn:federation:MicrosoftOnline',
  }
}

export function isCommonTenant(tenant: string): boolean {
  return COMMON_TENANTS.has(tenant)
}
