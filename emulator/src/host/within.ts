import { systemClock } from '../core/clock.ts'

/** Waits for `work`, but no longer than that in real time (whatever the host's own clock says). Never rejects. */
export async function within(graceMs: number, work: Promise<unknown>): Promise<void> {
  const giveUp = new AbortController()
  const grace = systemClock()
    .sleep(graceMs, giveUp.signal)
    .catch(() => {})
  await Promise.race([work.catch(() => {}), grace])
  giveUp.abort()
}
