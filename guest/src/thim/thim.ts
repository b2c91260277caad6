import type { Clock } from '../clock.ts'
import { systemClock } from '../clock.ts'
import { type Fetch, globalFetch, requestJson, UpstreamError } from '../http/upstream.ts'
import { parseThimCertification, type ThimCertification, WireError } from '../wire/index.ts'

/** Trusted Hardware Identity Management of the host (Microsoft Learn, "Trusted Hardware Identity Management"). */
const THIM_URL = 'http://169.254.169.254/metadata/THIM/amd/certification'

/** Waits between tries, in milliseconds: one more try than waits. */
const WAITS_MS = [500, 1000, 2000]

/** The instance metadata service's own guidance: these pass. */
const PASSING_STATUSES = new Set([404, 408, 410, 429, 500, 502, 503, 504])

export interface ThimOptions {
  readonly fetch?: Fetch
  readonly clock?: Clock
}

/**
 * Asks the host for the VCEK certificate of this chip at its current TCB, and its chain.
 * @throws UpstreamError after the last of four tries
 */
export async function fetchCertification(options: ThimOptions = {}): Promise<ThimCertification> {
  const { fetch = globalFetch, clock = systemClock } = options
  for (let attempt = 0; ; attempt += 1) {
    try {
      const value = await requestJson(fetch, 'THIM', THIM_URL, { headers: { Metadata: 'true' } }, 10_000)
      return parse(value)
    } catch (error) {
      const wait = WAITS_MS[attempt]
      if (wait === undefined || !mayPass(error)) throw error
      await clock.sleep(wait)
    }
  }
}

function mayPass(error: unknown): boolean {
  if (!(error instanceof UpstreamError)) return false
  return (
    error.code === 'ERR_UPSTREAM_UNREACHABLE' ||
    (error.code === 'ERR_UPSTREAM_STATUS' && PASSING_STATUSES.has(error.status ?? 0))
  )
}

function parse(value: unknown): ThimCertification {
  try {
    return parseThimCertification(value)
  } catch (cause) {
    if (!(cause instanceof WireError)) throw cause
    throw new UpstreamError('ERR_UPSTREAM_BODY', 'THIM', cause.message, { cause })
  }
}
