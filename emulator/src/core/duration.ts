/** ISO 8601: `P1Y2M3W4DT5H6M7S`, each part optional. */
const ISO =
  /^P(?=[\dT])(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d{1,3})?)S)?)?$/
/** `90d`, `1d12h`, `30m`, `250ms`. Months and years are for ISO 8601, where an M is not taken for minutes. */
const SHORT = /^(?=\d)(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?$/

const SECOND = 1000
const HOUR = 3600 * SECOND
const DAY = 24 * HOUR
/** So that no sum leaves the range of a date (ECMA-262, 21.4.1.1). */
const LONGEST = 1000 * 366 * DAY

/** In words, for a message about a text that is none. */
export const DURATION_FORMS = 'a duration such as 90d, 12h, 30m, 5s or P90D'

/**
 * A duration in milliseconds; undefined for a text that is none.
 * @param from from when on years and months are counted, in UTC by the calendar; milliseconds since the epoch
 */
export function parseDuration(text: string, from: number): number | undefined {
  const found = readIso(text, from) ?? readShort(text)
  return found !== undefined && found <= LONGEST ? found : undefined
}

function readIso(text: string, from: number): number | undefined {
  const match = ISO.exec(text)
  if (match === null) return undefined
  const [years, months, weeks, days, hours, minutes, seconds] = match.slice(1).map((part) => Number(part ?? 0))
  const inMonths = years! * 12 + months!
  if (inMonths > 12_000) return undefined
  const calendar = addMonths(from, inMonths) - from
  return calendar + (weeks! * 7 + days!) * DAY + hours! * HOUR + minutes! * 60 * SECOND + Math.round(seconds! * SECOND)
}

function readShort(text: string): number | undefined {
  const match = SHORT.exec(text)
  if (match === null) return undefined
  const [weeks, days, hours, minutes, seconds, milliseconds] = match.slice(1).map((part) => Number(part ?? 0))
  return (weeks! * 7 + days!) * DAY + hours! * HOUR + minutes! * 60 * SECOND + seconds! * SECOND + milliseconds!
}

/** A month after the 31st of January is the last of February, as with a calendar. */
function addMonths(from: number, months: number): number {
  const date = new Date(from)
  const day = date.getUTCDate()
  date.setUTCDate(1)
  date.setUTCMonth(date.getUTCMonth() + months)
  const last = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate()
  date.setUTCDate(Math.min(day, last))
  return date.getTime()
}
