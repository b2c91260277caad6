import type { Clock } from '../clock.ts'
import { systemClock } from '../clock.ts'
import { InvalidArgumentError } from '../http/endpoint.ts'
import { retried } from '../http/retry.ts'
import { type Fetch, globalFetch, requestJson, UpstreamError } from '../http/upstream.ts'
import { parseThimCertification, type ThimCertification, WireError } from '../wire/index.ts'
import type { CertificateSource } from './source.ts'

/** Trusted Hardware Identity Management of the host (Microsoft Learn, "Trusted Hardware Identity Management"). */
const THIM_PATH = '/metadata/THIM/amd/certification'
const THIM_HOST = 'http://169.254.169.254'

/** Names another address: virtual nodes have their own. A host with a port, or a URL. */
export const THIM_ENDPOINT_VARIABLE = 'THIM_ENDPOINT'

/** The host's THIM, and how it is asked. */
export interface ThimOptions {
  /** Default: that of the variable THIM_ENDPOINT, else the instance metadata service. */
  readonly endpoint?: string
  /** Default: that of this process. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Default: Node's `fetch`. */
  readonly fetch?: Fetch
  /** Default: the system's. */
  readonly clock?: Clock
}

/**
 * Asks the host for the VCEK certificate of this chip at its current TCB, and its chain.
 * @throws UpstreamError after the last of four tries; InvalidArgumentError for an endpoint that is none
 */
export async function fetchCertification(options: ThimOptions = {}): Promise<ThimCertification> {
  const { fetch = globalFetch, clock = systemClock } = options
  const url = urlOf(options.endpoint ?? (options.env ?? process.env)[THIM_ENDPOINT_VARIABLE])
  // While the host updates its service, it is not found.
  return await retried(
    async () => parse(await requestJson(fetch, 'THIM', url, { headers: { Metadata: 'true' } }, 10_000)),
    {
      clock,
      alsoPassing: [404],
    },
  )
}

/** The host's certificates, whatever the report. */
export function thimSource(options: ThimOptions = {}): CertificateSource {
  return { name: 'THIM', fetch: () => fetchCertification(options) }
}

function urlOf(endpoint: string | undefined): string {
  if (!endpoint) return `${THIM_HOST}${THIM_PATH}`
  const url = URL.parse(/^https?:\/\//i.test(endpoint) ? endpoint : `http://${endpoint}`)
  if (url === null || url.username !== '')
    throw new InvalidArgumentError(THIM_ENDPOINT_VARIABLE, `must be a host or a URL, not "${endpoint}"`)
  return url.pathname === '/' ? `${url.origin}${THIM_PATH}` : url.href
}

function parse(value: unknown): ThimCertification {
  try {
    return parseThimCertification(value)
  } catch (cause) {
    if (!(cause instanceof WireError)) throw cause
    throw new UpstreamError('ERR_UPSTREAM_BODY', 'THIM', cause.message, { cause })
  }
}
