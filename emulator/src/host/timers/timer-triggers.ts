import type { Clock } from '../../core/index.ts'
import { InvocationFailed } from '../app/app-thread.ts'
import { bindingOfType, type FunctionMetadata, type InvocationRequest } from '../app/rpc.ts'
import type { AppRuntime } from '../app/runtime.ts'
import { redact } from '../durable/failure.ts'
import { HostError, messageOf } from '../errors.ts'
import type { HubFile } from '../hub-file.ts'
import type { HostLog } from '../log.ts'
import { within } from '../within.ts'
import { retryDelayMs } from './retry.ts'
import { parseSchedule, type Schedule } from './schedule.ts'

/** The app's timer functions, on the host's clock. */
export interface TimerTriggers {
  /** Arms every timer, after the calls that are due at start (past due, `runOnStartup`) have begun. */
  start(): void
  /** Runs the function now, as the admin API does; its schedule stays as it is. false: no such timer function. */
  fire(functionName: string): boolean
  readonly running: number
  nextDue(): number | undefined
  /** Takes the alarms down and waits for what runs. */
  stop(): Promise<void>
}

export interface TimerTriggerOptions {
  readonly app: AppRuntime
  readonly clock: Clock
  readonly hub: HubFile
  readonly settings: Readonly<Record<string, string | undefined>>
  readonly isDisabled: (functionName: string) => boolean
  readonly log: HostLog
  readonly onSettled: () => void
}

/** What is kept of a timer, in milliseconds; `last` undefined: it never ran. */
interface TimerStatus {
  readonly last?: number
  readonly next: number | null
  readonly lastUpdated: number
}

interface Timer {
  readonly metadata: FunctionMetadata
  readonly schedule: Schedule
  readonly monitored: boolean
  readonly runOnStartup: boolean
  next: number | undefined
  alarm?: Disposable
}

/** Real time that `stop` gives to what runs. */
const GRACE_MS = 3000

export function createTimerTriggers(options: TimerTriggerOptions): TimerTriggers {
  const { app, clock, log } = options
  const get = options.hub.db.prepare('SELECT status FROM schedules WHERE name = ?')
  const put = options.hub.db.prepare('INSERT OR REPLACE INTO schedules VALUES (?, ?)')
  const statusOf = (name: string): TimerStatus | undefined => {
    const row = get.get(name)
    return row === undefined ? undefined : (JSON.parse(row.status as string) as TimerStatus)
  }
  const keep = (timer: Timer, status: TimerStatus) => {
    if (timer.monitored) put.run(timer.metadata.name, JSON.stringify(status))
  }
  const timers = app.functions.flatMap((metadata) => timerOf(metadata, options))
  const flights = new Set<Promise<void>>()
  /** Times until which retries wait: such a run is not at work, it is due later. */
  const pauses = new Set<{ readonly until: number }>()
  const stopping = new AbortController()
  const pause = async (ms: number): Promise<void> => {
    const entry = { until: clock.now() + ms }
    pauses.add(entry)
    options.onSettled()
    try {
      await clock.sleep(ms, stopping.signal)
    } finally {
      pauses.delete(entry)
    }
  }
  let stopped = false

  const track = (run: Promise<void>): void => {
    const flight = run
      .catch((error) => {
        if (!stopped) log({ level: 'error', category: 'host', message: messageOf(error) })
      })
      .finally(() => {
        flights.delete(flight)
        options.onSettled()
      })
    flights.add(flight)
  }

  const arm = (timer: Timer, next: number | undefined) => {
    timer.alarm?.[Symbol.dispose]()
    timer.next = next
    if (next !== undefined && !stopped) timer.alarm = clock.at(next, () => track(run(timer, false)))
  }

  const run = async (timer: Timer, isPastDue: boolean): Promise<void> => {
    const due = timer.next
    timer.next = undefined
    const startedAt = clock.now()
    await call(timer, isPastDue, options, statusOf(timer.metadata.name), pause)
    const next = timer.schedule.next(Math.max(startedAt, due ?? startedAt))
    keep(timer, { last: startedAt, next: next ?? null, lastUpdated: startedAt })
    arm(timer, next)
  }

  const startOne = (timer: Timer) => {
    const now = clock.now()
    const { pastDue, next } = atStart(timer, statusOf(timer.metadata.name), now, (status) => keep(timer, status))
    timer.next = next
    if (pastDue || timer.runOnStartup) track(run(timer, pastDue))
    else arm(timer, next)
  }

  return {
    start() {
      for (const timer of timers) if (!options.isDisabled(timer.metadata.name)) startOne(timer)
    },
    fire(functionName) {
      const timer = timers.find(({ metadata }) => metadata.name.toLowerCase() === functionName.toLowerCase())
      if (timer === undefined) return false
      track(call(timer, false, options, statusOf(timer.metadata.name), pause))
      return true
    },
    get running() {
      return flights.size - pauses.size
    },
    nextDue() {
      const times = [...timers.map(({ next }) => next), ...[...pauses].map(({ until }) => until)]
      return times.reduce(
        (first, time) => (first === undefined || (time !== undefined && time < first) ? time : first),
        undefined,
      )
    },
    async stop() {
      stopped = true
      stopping.abort(new HostError('ERR_HOST_STOPPED', 'the host is being stopped'))
      for (const timer of timers) timer.alarm?.[Symbol.dispose]()
      await within(GRACE_MS, Promise.all(flights))
    },
  }
}

function timerOf(metadata: FunctionMetadata, options: TimerTriggerOptions): Timer[] {
  const binding = bindingOfType(metadata, 'timerTrigger')?.binding
  if (binding === undefined) return []
  const schedule = parseSchedule(
    String(binding.schedule),
    options.settings,
    options.settings.WEBSITE_TIME_ZONE || options.settings.TZ || 'UTC',
  )
  return [
    {
      metadata,
      schedule,
      monitored: binding.useMonitor !== false && !schedule.tooFrequentToMonitor,
      runOnStartup: binding.runOnStartup === true,
      next: undefined,
    },
  ]
}

/** What a timer owes when the host starts, from the status of its last life. */
function atStart(
  timer: Timer,
  status: TimerStatus | undefined,
  now: number,
  keep: (status: TimerStatus) => void,
): { pastDue: boolean; next: number | undefined } {
  const fresh = timer.schedule.next(now)
  if (!timer.monitored) return { pastDue: false, next: fresh }
  if (status === undefined) {
    keep({ next: fresh ?? null, lastUpdated: now })
    return { pastDue: false, next: fresh }
  }
  const expected = timer.schedule.next(status.last ?? status.lastUpdated)
  if ((expected ?? null) !== status.next) {
    // The schedule was changed since: what the old one owed is forgotten.
    const next = expected !== undefined && expected > now ? expected : fresh
    keep({ next: next ?? null, lastUpdated: now })
    return { pastDue: false, next }
  }
  const pastDue = expected !== undefined && now > expected
  return { pastDue, next: expected }
}

/** Calls the function, again as its retry options say. A failure is logged; the run counts all the same. */
async function call(
  timer: Timer,
  isPastDue: boolean,
  options: TimerTriggerOptions,
  status: TimerStatus | undefined,
  pause: (ms: number) => Promise<void>,
): Promise<void> {
  const { app, log } = options
  const { metadata } = timer
  const input = {
    Schedule: { AdjustForDST: timer.schedule.kind === 'cron' },
    ScheduleStatus: timer.monitored ? shownStatus(status, timer.next) : null,
    IsPastDue: isPastDue,
  }
  let retryContext: InvocationRequest['retryContext']
  for (let retries = 0; ; retries++) {
    try {
      await app.invoke({
        metadata,
        triggerType: 'timerTrigger',
        data: { json: JSON.stringify(input) },
        ...(retryContext === undefined ? {} : { retryContext }),
      })
      return
    } catch (error) {
      log({
        level: 'error',
        category: 'host',
        functionName: metadata.name,
        message: redact(`function "${metadata.name}" failed: ${messageOf(error)}`),
      })
      const limit = metadata.retryOptions?.maxRetryCount ?? 0
      if (metadata.retryOptions === undefined || (limit >= 0 && retries >= limit)) return
      const stackTrace = error instanceof InvocationFailed ? error.failure.stackTrace : ''
      retryContext = {
        retryCount: retries + 1,
        maxRetryCount: limit,
        exception: { message: messageOf(error), source: '', stackTrace },
      }
      await pause(retryDelayMs(metadata.retryOptions, retries))
    }
  }
}

function shownStatus(status: TimerStatus | undefined, next: number | undefined): Record<string, string> {
  const shown = (ms: number | null | undefined) =>
    ms === null || ms === undefined ? '0001-01-01T00:00:00' : `${new Date(ms).toISOString().slice(0, 19)}+00:00`
  return { Last: shown(status?.last), Next: shown(status?.next ?? next), LastUpdated: shown(status?.lastUpdated) }
}
