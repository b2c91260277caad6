/**
 * "Event Grid message delivery and retry": what comes of an attempt. Event Grid's small random additions to its delays are
 * left out, so that a test knows when the next attempt comes.
 */

/** The status of an answer; undefined: there was none within `PATIENCE_MS`. */
export type Outcome = number | undefined

/** How long Event Grid waits for an answer. */
export const PATIENCE_MS = 30_000

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

const DELAYS = [
  10 * SECOND,
  30 * SECOND,
  MINUTE,
  5 * MINUTE,
  10 * MINUTE,
  30 * MINUTE,
  HOUR,
  3 * HOUR,
  6 * HOUR,
  12 * HOUR,
] as const

/** An event that was not delivered after so long, or so many attempts, is dropped. */
const TIME_TO_LIVE_MS = 24 * HOUR
const MOST_ATTEMPTS = 30

const DELIVERED: ReadonlySet<number> = new Set([200, 201, 202, 203, 204])
/** Of a webhook: what trying again cannot mend. */
const FINAL: ReadonlySet<number> = new Set([400, 401, 403, 413])
const LEAST_DELAYS: Readonly<Record<number, number>> = { 404: 5 * MINUTE, 408: 2 * MINUTE, 503: 30 * SECOND }

export type Verdict =
  | { readonly what: 'delivered' }
  | { readonly what: 'again'; readonly afterMs: number }
  | { readonly what: 'dropped'; readonly why: string }

/** @param attempts how often it was tried, this time included */
export function judge(outcome: Outcome, attempts: number, publishedMs: number, nowMs: number): Verdict {
  if (outcome !== undefined && DELIVERED.has(outcome)) return { what: 'delivered' }
  if (outcome !== undefined && FINAL.has(outcome)) {
    return { what: 'dropped', why: `the answer was ${outcome}, which Event Grid does not try again` }
  }
  if (attempts >= MOST_ATTEMPTS) return { what: 'dropped', why: `it was tried ${attempts} times` }
  const afterMs = Math.max(
    DELAYS[Math.min(attempts, DELAYS.length) - 1] ?? DELAYS[0],
    (outcome !== undefined && LEAST_DELAYS[outcome]) || 0,
  )
  return nowMs + afterMs > publishedMs + TIME_TO_LIVE_MS
    ? { what: 'dropped', why: 'it was not delivered within a day' }
    : { what: 'again', afterMs }
}
