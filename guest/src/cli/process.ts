import * as http from 'node:http'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { readCertificates } from '../skr/trust-store.ts'

type Environment = Readonly<Record<string, string | undefined>>

/**
 * Makes this process honour what other programs of a container honour without being told: the proxy variables, and the
 * CA file of SSL_CERT_FILE beside Node's own NODE_EXTRA_CA_CERTS.
 */
export async function honourEnvironment(env: Environment): Promise<void> {
  if (env.SSL_CERT_FILE && env.SSL_CERT_FILE !== env.NODE_EXTRA_CA_CERTS) {
    const extra = readCertificates(env.SSL_CERT_FILE)
    if (extra.length > 0) setDefaultCACertificates([...getCACertificates('default'), ...extra])
  }
  if (hasProxy(env) && env.NODE_USE_ENV_PROXY !== '1') await useProxy(env)
}

function hasProxy(env: Environment): boolean {
  return [env.HTTPS_PROXY, env.https_proxy, env.HTTP_PROXY, env.http_proxy].some(
    (value) => value !== undefined && value !== '',
  )
}

async function useProxy(env: Environment): Promise<void> {
  // Node 24.14 and later; before that, undici's agent does the same for fetch.
  const { setGlobalProxyFromEnv } = http as { setGlobalProxyFromEnv?: (env: Environment) => void }
  if (setGlobalProxyFromEnv !== undefined) return setGlobalProxyFromEnv(env)
  const { EnvHttpProxyAgent, setGlobalDispatcher } = await import('undici')
  setGlobalDispatcher(new EnvHttpProxyAgent())
}
