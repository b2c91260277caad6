import { Cron } from 'croner'
import { HostError } from '../errors.ts'
import { parseNCrontab, toPlainCron } from './ncrontab.ts'

/** When a timer trigger fires. Times are milliseconds since the epoch. */
export interface Schedule {
  readonly kind: 'cron' | 'constant'
  /** The first occurrence after that time; undefined: never (30 February). */
  next(after: number): number | undefined
  /** Too frequent for the monitor (which would write its status at every run). */
  readonly tooFrequentToMonitor: boolean
}

/**
 * Reads the `schedule` of a timer trigger: an NCrontab expression or a time span (`[d.]hh:mm:ss`), after `%NAME%` was
 * replaced by that setting.
 */
export function parseSchedule(
  text: string,
  settings: Readonly<Record<string, string | undefined>>,
  timeZone?: string,
): Schedule {
  const expression = text.replace(/%([^%]+)%/g, (_, name: string) => {
    const value = settings[name]
    if (value === undefined)
      throw new HostError(
        'ERR_HOST_SCHEDULE',
        `the schedule ${JSON.stringify(text)} names the setting ${name}, which has no value`,
      )
    return value
  })
  const period = timeSpanMs(expression.trim())
  if (period !== undefined) {
    if (period <= 0)
      throw new HostError('ERR_HOST_SCHEDULE', `the schedule ${JSON.stringify(expression)} is not longer than zero`)
    return { kind: 'constant', next: (after) => after + period, tooFrequentToMonitor: period < 60_000 }
  }
  const parsed = parseNCrontab(expression)
  // Never started: it only answers "what comes after"; the host's clock decides when that is.
  const cron = new Cron(toPlainCron(parsed), {
    paused: true,
    domAndDow: true,
    ...(timeZone === undefined ? {} : { timezone: timeZone }),
  })
  return {
    kind: 'cron',
    next: (after) => cron.nextRun(new Date(after))?.getTime(),
    tooFrequentToMonitor: parsed.everyMinute && parsed.fields[0].length > 1,
  }
}

function timeSpanMs(text: string): number | undefined {
  const found = /^(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2})$/.exec(text)
  if (found === null) return undefined
  const [days = 0, hours = 0, minutes = 0, seconds = 0] = found.slice(1).map((part) => Number(part ?? 0))
  return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000
}
