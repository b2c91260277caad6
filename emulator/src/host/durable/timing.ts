import type { RetryOptions } from './actions.ts'

const DAY_MS = 86_400_000

/** The longest timer that is one event; a longer one is cut into chunks (Azure Storage provider). */
export const MAX_SHORT_TIMER_MS = 6 * DAY_MS
/** The length of one chunk. */
export const LONG_TIMER_INTERVAL_MS = 3 * DAY_MS

/** As the trigger's input carries them: `d.hh:mm:ss`. */
export const MAX_SHORT_TIMER = '6.00:00:00'
export const LONG_TIMER_INTERVAL = '3.00:00:00'

/** The wait after that many failures, in milliseconds. */
export function retryDelay(options: RetryOptions, failures: number): number {
  const delay = options.firstRetryIntervalInMilliseconds * (options.backoffCoefficient ?? 1) ** (failures - 1)
  return Math.min(delay, options.maxRetryIntervalInMilliseconds ?? MAX_SHORT_TIMER_MS)
}

/** The intervals that are checked against the longest short timer. */
export function longestRetryMs(options: RetryOptions): number {
  return Math.max(options.firstRetryIntervalInMilliseconds, options.maxRetryIntervalInMilliseconds ?? 0)
}
