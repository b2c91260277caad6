import { randomInt } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { UpstreamError } from './upstream.ts'

/** Longest waits between tries, in milliseconds: one more try than waits. */
const WAITS_MS = [500, 1000, 2000] as const

/** Who asks for more patience than this is not waited for: the caller is told, and decides. */
const LONGEST_WAIT_MS = 30_000

/** The instance metadata service's own guidance, and what any service means to pass. */
const PASSING_STATUSES = new Set([408, 410, 429, 500, 502, 503, 504])

export interface RetryOptions {
  readonly clock: Clock
  /** Further statuses that pass. */
  readonly alsoPassing?: readonly number[]
  /** From 0 to 1: how much of a wait's second half is waited. Default: at random. */
  readonly jitter?: () => number
}

const RANDOM_STEPS = 1024
const randomJitter = () => (randomInt(RANDOM_STEPS) + 0.5) / RANDOM_STEPS

/**
 * Does it again while the service cannot be reached or says that it is busy: four tries, with doubled waits between them,
 * and behind what the service asks for (Retry-After). Half of each wait is left to chance: guests that were refused
 * together do not come back together.
 * @throws what the last try threw
 */
export async function retried<T>(work: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { clock, alsoPassing = [], jitter = randomJitter } = options
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await work()
    } catch (error) {
      const wait = WAITS_MS[attempt]
      if (wait === undefined || !(error instanceof UpstreamError) || !mayPass(error, alsoPassing)) throw error
      const { retryAfterMs = 0 } = error
      if (retryAfterMs > LONGEST_WAIT_MS) throw error
      await clock.sleep(retryAfterMs + (wait / 2) * (1 + jitter()))
    }
  }
}

function mayPass(error: UpstreamError, alsoPassing: readonly number[]): boolean {
  if (error.code === 'ERR_UPSTREAM_UNREACHABLE') return true
  const { status = 0 } = error
  return error.code === 'ERR_UPSTREAM_STATUS' && (PASSING_STATUSES.has(status) || alsoPassing.includes(status))
}
