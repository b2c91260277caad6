import { SECURITY_CONTEXT_DIR_VARIABLE } from '@skerry/guest/wire'
import type { Program } from './images.ts'
import type { ContainerSpec } from './types.ts'

export interface EnvironmentOptions {
  readonly container: ContainerSpec
  readonly program: Program
  readonly group: string
  readonly secureValue: (name: string) => string | undefined
  readonly securityContextDir: string
  readonly caFile: string
  /** Where the group has no network of its own. */
  readonly proxyUrl?: string
}

/**
 * The environment of a container's program, from nothing: the image's, the template's, then what the platform adds.
 * In Azure the host's certificates are public ones; here they are the emulator's, so the usual variables name its CA.
 */
export function containerEnvironment(options: EnvironmentOptions): Record<string, string> {
  const { container, program, group, secureValue, securityContextDir, caFile, proxyUrl } = options
  const declared = container.environmentVariables.map(({ name, value, secure }) => {
    return [name, (secure ? secureValue(name) : value) ?? ''] as const
  })
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    TERM: 'xterm',
    HOSTNAME: `SandboxHost-${group}`,
    ...program.env,
    ...Object.fromEntries(declared),
    [SECURITY_CONTEXT_DIR_VARIABLE]: securityContextDir,
    NODE_EXTRA_CA_CERTS: caFile,
    SSL_CERT_FILE: caFile,
    REQUESTS_CA_BUNDLE: caFile,
    CURL_CA_BUNDLE: caFile,
    ...(proxyUrl !== undefined && proxyVariables(proxyUrl)),
  }
}

function proxyVariables(url: string): Record<string, string> {
  const aside = 'localhost,127.0.0.1,::1'
  return {
    HTTPS_PROXY: url,
    https_proxy: url,
    HTTP_PROXY: url,
    http_proxy: url,
    NO_PROXY: aside,
    no_proxy: aside,
    // Node's own fetch and http read these variables only when told to.
    NODE_USE_ENV_PROXY: '1',
  }
}
