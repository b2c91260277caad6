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
   * Disposing it before then cancels it. Never keeps the process alive. When `fire` returns a promise, whoever moves the
   * clock waits for it before time goes on: it must not reject, nor wait for this clock.
   */
  at(atMs: number, fire: () => void | Promise<void>): Disposable
  /** Resolves after `ms` of this clock's time; rejects with the signal's reason when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** A clock that a person or a test can move. */
export interface MovableClock extends Clock {
  /**
   * Moves the clock forward by `ms` and fires everything that came due, in order, each at its own time: what an alarm sets
   * off may set the next one. `ms` must not be negative.
   */
  advance(ms: number): Promise<void>
}

/** Whole seconds since the epoch: the form in which JOSE and Key Vault write times. */
export function epochSeconds(clock: Clock): number {
  return Math.floor(clock.now() / 1000)
}

/**
 * Milliseconds of this machine since its process began: how long work takes that is to be bounded, whatever time it is for
 * the instance. For no other use.
 */
export function machineMs(): number {
  return performance.now()
}

interface Alarm {
  readonly atMs: number
  readonly fire: () => void | Promise<void>
}

/** Longest delay that Node's timers take (2^31 - 1 ms); longer waits are cut into pieces. */
const LONGEST_TIMEOUT = 0x7fff_ffff

/** Real time plus an offset that `advance` grows: `skerry up` runs on it. */
export function systemClock(initialOffsetMs = 0): MovableClock & { readonly offsetMs: number } {
  let offsetMs = initialOffsetMs
  let moving = Promise.resolve()
  const alarms = new Set<Alarm & { timer?: NodeJS.Timeout }>()
  const fired = new Fired()

  const now = () => Date.now() + offsetMs
  const arm = (alarm: Alarm & { timer?: NodeJS.Timeout }) => {
    clearTimeout(alarm.timer)
    const wait = Math.min(Math.max(alarm.atMs - now(), 0), LONGEST_TIMEOUT)
    alarm.timer = setTimeout(() => {
      if (now() < alarm.atMs) return arm(alarm)
      if (alarms.delete(alarm)) fired.fire(alarm)
    }, wait)
    alarm.timer.unref()
  }
  const at = (atMs: number, fire: Alarm['fire']): Disposable => {
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
  const moveBy = async (ms: number) => {
    const target = offsetMs + ms
    for (;;) {
      await fired.done()
      const due = earliest(alarms, Date.now() + target)
      if (due === undefined) break
      alarms.delete(due)
      clearTimeout(due.timer)
      offsetMs = Math.min(Math.max(due.atMs - Date.now(), offsetMs), target)
      fired.fire(due)
      await afterWhatWasWoken()
    }
    offsetMs = target
    for (const alarm of alarms) arm(alarm)
  }
  return {
    now,
    at,
    sleep: (ms, signal) => sleepOn({ now, at }, ms, signal),
    async advance(ms) {
      requireForward(ms)
      // One after the other: two at once go as far as both together.
      moving = moving.then(() => moveBy(ms))
      await moving
    },
    get offsetMs() {
      return offsetMs
    },
  }
}

/** Time that stands still until a test moves it. */
export function manualClock(start: string | number = '2026-01-01T00:00:00Z'): MovableClock {
  let nowMs = typeof start === 'number' ? start : Date.parse(start)
  let moving = Promise.resolve()
  const alarms = new Set<Alarm>()
  const fired = new Fired()
  const now = () => nowMs
  const fireDue = async (untilMs: number) => {
    for (;;) {
      await fired.done()
      const due = earliest(alarms, untilMs)
      if (due === undefined) return
      alarms.delete(due)
      nowMs = Math.max(nowMs, due.atMs)
      fired.fire(due)
      await afterWhatWasWoken()
    }
  }
  const at = (atMs: number, fire: Alarm['fire']): Disposable => {
    const alarm: Alarm = { atMs, fire }
    alarms.add(alarm)
    if (atMs <= nowMs) setImmediate(() => alarms.delete(alarm) && fired.fire(alarm))
    return { [Symbol.dispose]: () => void alarms.delete(alarm) }
  }
  return {
    now,
    at,
    sleep: (ms, signal) => sleepOn({ now, at }, ms, signal),
    async advance(ms) {
      requireForward(ms)
      moving = moving.then(async () => {
        const target = nowMs + ms
        await fireDue(target)
        nowMs = target
      })
      await moving
    },
  }
}

/** What alarms set off and is not over yet, whether time came to them by itself or was moved. */
class Fired {
  readonly #running = new Set<Promise<void>>()

  fire(alarm: Alarm): void {
    const running = alarm.fire()
    if (running === undefined) return
    this.#running.add(running)
    void running.finally(() => this.#running.delete(running))
  }

  async done(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }
}

/** The alarm that is due first, up to that time. */
function earliest<T extends Alarm>(alarms: ReadonlySet<T>, untilMs: number): T | undefined {
  let first: T | undefined
  for (const alarm of alarms) {
    if (alarm.atMs <= untilMs && (first === undefined || alarm.atMs < first.atMs)) first = alarm
  }
  return first
}

/** Lets what an alarm woke run (and set further alarms) before the next one is looked for. */
function afterWhatWasWoken(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
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
