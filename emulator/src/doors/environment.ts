import type { Seed } from '../core/index.ts'

export interface ClientEnvironmentOptions {
  /** With the credential. */
  readonly proxyUrl: string
  readonly caFile: string
  readonly seed: Seed
}

/**
 * Environment variables that lead an unmodified client to the emulator: the proxy and the certificate authority in the
 * spellings of curl, Go, Python, OpenSSL and Node, and the administrator's credentials as Azure's SDKs read them
 * (`EnvironmentCredential`).
 */
export function clientEnvironment({ proxyUrl, caFile, seed }: ClientEnvironmentOptions): Record<string, string> {
  return { ...networkEnvironment(proxyUrl, caFile), ...credentialEnvironment(seed) }
}

export function networkEnvironment(proxyUrl: string, caFile: string): Record<string, string> {
  const aside = 'localhost,127.0.0.1,::1'
  return {
    HTTPS_PROXY: proxyUrl,
    https_proxy: proxyUrl,
    HTTP_PROXY: proxyUrl,
    http_proxy: proxyUrl,
    NO_PROXY: aside,
    no_proxy: aside,
    // Node's own fetch and http read the proxy variables only when told to.
    NODE_USE_ENV_PROXY: '1',
    ...trustEnvironment(caFile),
  }
}

export function trustEnvironment(caFile: string): Record<string, string> {
  return { NODE_EXTRA_CA_CERTS: caFile, SSL_CERT_FILE: caFile, REQUESTS_CA_BUNDLE: caFile, CURL_CA_BUNDLE: caFile }
}

export function credentialEnvironment({ tenantId, subscriptionId, admin }: Seed): Record<string, string> {
  return {
    AZURE_TENANT_ID: tenantId,
    AZURE_CLIENT_ID: admin.clientId,
    AZURE_CLIENT_SECRET: admin.clientSecret,
    AZURE_SUBSCRIPTION_ID: subscriptionId,
  }
}

/**
 * What App Service and Functions set for an app with a managed identity, in both generations: the SDKs'
 * `ManagedIdentityCredential` reads the first two.
 */
export function appServiceEnvironment(endpoint: string, header: string): Record<string, string> {
  return { IDENTITY_ENDPOINT: endpoint, IDENTITY_HEADER: header, MSI_ENDPOINT: endpoint, MSI_SECRET: header }
}
