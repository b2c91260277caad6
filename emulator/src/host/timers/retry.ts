import type { RetryOptions } from '../app/rpc.ts'

/** The wait before retry number `retries` + 1 of a function with retry options, in milliseconds. */
export function retryDelayMs(options: RetryOptions, retries: number): number {
  const seconds = (interval: { readonly seconds?: number } | undefined) => interval?.seconds ?? 0
  if (options.retryStrategy !== 'exponentialBackoff') return seconds(options.delayInterval) * 1000
  const wait = seconds(options.minimumInterval) * 2 ** retries
  return Math.min(wait, seconds(options.maximumInterval)) * 1000
}
