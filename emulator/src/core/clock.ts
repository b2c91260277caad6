/**
 * The one source of time in the emulator. Token lifetimes, certificate validity, soft-delete windows, rotation and
 * durable timers all read the same clock, so that a test (or `skerry` itself) moves them together.
 * This is the only module that may touch `Date.now` and `setTimeout`.
 */

/** What every service is given. Times are milliseconds since the Unix epoch unless a name says otherwise. */
export interface Clock {
  /** Now, in milliseconds since the epoch. */
  now(): number
  /**
   * Calls `fire` once when the clock reaches `atMs` (at once, but asynchronously, if that lies in the past).
   * Disposing it before then cancels it. Never keeps the process alive.
   */
  at(atMs: number, fire: () => void): Disposable
  /** Resolves after `ms` of this clock's time; rejects with the signal's reason when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** A clock that a person or a test can move. */
export interface MovableClock extends Clock {
  /** Moves the clock forward by `ms` and fires everything that came due, in order. `ms` must not be negative. */
  advance(ms: number): Promise<void>
}

/** Whole seconds since the epoch: the form in which JOSE and Key Vault write times. */
export function epochSeconds(clock: Clock): number {
  return Math.floor(clock.now() / 1000)
}

interface Alarm {
  readonly atMs: number
  readonly fire: () => void
}

/** Longest delay that Node's timers take (2^31 - 1 ms); longer waits are cut into pieces. */
const LONGEST_TIMEOUT = 0x7fff_ffff

/** Real time plus an offset that `advance` grows: `skerry up` runs on it. */
export function systemClock(initialOffsetMs = 0): MovableClock & { readonly offsetMs: number } {
  let offsetMs = initialOffsetMs
  const alarms = new Set<Alarm & { timer?: NodeJS.Timeout }>()

  const now = () => Date.now() + offsetMs
  const arm = (alarm: Alarm & { timer?: NodeJS.Timeout }) => {
    clearTimeout(alarm.timer)
    const wait = Math.min(Math.max(alarm.atMs - now(), 0), LONGEST_TIMEOUT)
    alarm.timer = setTimeout(() => {
      if (now() < alarm.atMs) return arm(alarm)
      if (alarms.delete(alarm)) alarm.fire()
    }, wait)
    alarm.timer.unref()
  }
  const at = (atMs: number, fire: () => void): Disposable => {
    const alarm: Alarm & { timer?: NodeJS.Timeout } = { atMs, fire }
    alarms.add(alarm)
    arm(alarm)
    return {
      [Symbol.dispose]: () => {
        alarms.delete(alarm)
        clearTimeout(alarm.timer)
      },
    }
  }
  return {
    now,
    at,
    sleep: (ms, signal) => sleepOn({ now, at }, ms, signal),
    async advance(ms) {
      requireForward(ms)
      offsetMs += ms
      for (const alarm of alarms) arm(alarm)
    },
    get offsetMs() {
      return offsetMs
    },
  }
}

/** Time that stands still until a test moves it. */
export function manualClock(start: string | number = '2026-01-01T00:00:00Z'): MovableClock {
  let nowMs = typeof start === 'number' ? start : Date.parse(start)
  const alarms = new Set<Alarm>()
  const now = () => nowMs
  const fireDue = async (untilMs: number) => {
    for (;;) {
      const due = [...alarms].filter((alarm) => alarm.atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0]
      if (due === undefined) return
      alarms.delete(due)
      nowMs = Math.max(nowMs, due.atMs)
      due.fire()
      // Let what the alarm woke run (and set further alarms) before the next one is looked for.
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  const at = (atMs: number, fire: () => void): Disposable => {
    const alarm: Alarm = { atMs, fire }
    alarms.add(alarm)
    if (atMs <= nowMs) setImmediate(() => alarms.delete(alarm) && fire())
    return { [Symbol.dispose]: () => void alarms.delete(alarm) }
  }
  return {
    now,
    at,
    sleep: (ms, signal) => sleepOn({ now, at }, ms, signal),
    async advance(ms) {
      requireForward(ms)
      const target = nowMs + ms
      await fireDue(target)
      nowMs = target
    },
  }
}

function sleepOn(clock: Pick<Clock, 'now' | 'at'>, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const abort = () => {
      alarm[Symbol.dispose]()
      reject(signal?.reason)
    }
    const alarm = clock.at(clock.now() + ms, () => {
      signal?.removeEventListener('abort', abort)
      resolve()
    })
    signal?.addEventListener('abort', abort, { once: true })
  })
}

function requireForward(ms: number): void {
  if (!(ms >= 0)) throw new RangeError(`a clock only moves forward: advance(${ms})`)
}
