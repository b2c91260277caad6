/** An ISO 8601 duration of whole years, months, weeks and days. Months stay months: how long they are, the calendar says. */
export interface Duration {
  readonly months: number
  readonly days: number
}

// Six digits of days are 2700 years: enough for anyone, and never out of the range of a date.
const DURATION = /^P(?=\d)(?:(\d{1,4})Y)?(?:(\d{1,5})M)?(?:(\d{1,5})W)?(?:(\d{1,6})D)?$/

const SECONDS_PER_DAY = 86_400

/** Undefined for what is no such duration, and for one of no length. */
export function readDuration(text: string): Duration | undefined {
  const found = DURATION.exec(text)
  if (found === null) return undefined
  const [years = 0, months = 0, weeks = 0, days = 0] = found.slice(1).map((digits) => Number(digits ?? 0))
  const duration = { months: years * 12 + months, days: weeks * 7 + days }
  return duration.months + duration.days > 0 ? duration : undefined
}

export const isDuration = (text: string): boolean => readDuration(text) !== undefined

/** Whole seconds since the epoch, moved by a duration in UTC. A month from 31 January is the last day of February. */
export const addDuration = (seconds: number, text: string): number => move(seconds, text, 1)

/** The same, back. */
export const subtractDuration = (seconds: number, text: string): number => move(seconds, text, -1)

/** Counted from a first of January, since months differ: `P1M` has 31 days, `P2M` has 59. */
export const daysOf = (text: string): number => addDuration(0, text) / SECONDS_PER_DAY

function move(seconds: number, text: string, direction: 1 | -1): number {
  const { months, days } = readDuration(text) ?? { months: 0, days: 0 }
  const date = new Date(seconds * 1000)
  const day = date.getUTCDate()
  date.setUTCDate(1)
  date.setUTCMonth(date.getUTCMonth() + direction * months)
  date.setUTCDate(Math.min(day, lastDayOf(date)))
  return Math.floor(date.getTime() / 1000) + direction * days * SECONDS_PER_DAY
}

function lastDayOf(month: Date): number {
  return new Date(Date.UTC(month.getUTCFullYear(), month.getUTCMonth() + 1, 0)).getUTCDate()
}
