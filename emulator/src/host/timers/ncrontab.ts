import { HostError } from '../errors.ts'

/** One field of a schedule: every value at which it matches, ascending. */
export type CronField = readonly number[]

/** An NCrontab expression, expanded: seconds, minutes, hours, days of the month, months, days of the week (0 = Sunday). */
export interface NCrontab {
  readonly fields: readonly [CronField, CronField, CronField, CronField, CronField, CronField]
  /** Fields after the seconds that match always. */
  readonly everyMinute: boolean
}

interface FieldKind {
  readonly label: string
  readonly min: number
  readonly max: number
  /** In calendar order, beginning at `min`. */
  readonly names?: readonly string[]
}

const MONTHS = [
  'january',
  'february',
  'march',
  'april',
  'may',
  'june',
  'july',
  'august',
  'september',
  'october',
  'november',
  'december',
]
const DAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday']

const KINDS: readonly FieldKind[] = [
  { label: 'second', min: 0, max: 59 },
  { label: 'minute', min: 0, max: 59 },
  { label: 'hour', min: 0, max: 23 },
  { label: 'day of the month', min: 1, max: 31 },
  { label: 'month', min: 1, max: 12, names: MONTHS },
  { label: 'day of the week', min: 0, max: 6, names: DAYS },
]

/**
 * Reads the grammar of NCrontab (what Azure's timer trigger uses), which differs from a Unix cron's: five or six fields,
 * seconds first; days of the week 0 to 6 only; names by any prefix, the first in calendar order; a reversed range is
 * swapped; `v/n` runs from v to the field's end; a step below 1 counts as 1; nothing like `?`, `L`, `W`, `#`, `@hourly`.
 */
export function parseNCrontab(expression: string): NCrontab {
  const texts = expression.trim().split(/\s+/)
  if (texts.length === 5) texts.unshift('0')
  if (texts.length !== 6) throw invalid(expression, `it has ${texts.length} fields; 5 or 6 are expected`)
  const fields = KINDS.map((kind, index) => expand(texts[index] as string, kind, expression))
  const everyMinute = fields.slice(1).every((field, index) => isFull(field, KINDS[index + 1] as FieldKind))
  return { fields: fields as unknown as NCrontab['fields'], everyMinute }
}

/** The same times in a form that any cron library reads alike: plain lists of numbers. */
export function toPlainCron({ fields }: NCrontab): string {
  return fields.map((field, index) => (isFull(field, KINDS[index] as FieldKind) ? '*' : field.join(','))).join(' ')
}

function isFull(field: CronField, kind: FieldKind): boolean {
  return field.length === kind.max - kind.min + 1
}

function expand(text: string, kind: FieldKind, expression: string): CronField {
  const values = new Set<number>()
  for (const item of text.split(',')) {
    const found = /^(\*|[A-Za-z]+|\d+)(?:-([A-Za-z]+|\d+))?(?:\/(\d+))?$/.exec(item)
    if (found === null) throw invalid(expression, `cannot read "${item}" in the field of the ${kind.label}`)
    const [, first = '', second, stepText] = found
    if (first === '*' && second !== undefined)
      throw invalid(expression, `cannot read "${item}" in the field of the ${kind.label}`)
    const step = Math.max(1, Number(stepText ?? 1))
    let low = first === '*' ? kind.min : numberOf(first, kind, expression)
    let high =
      first === '*'
        ? kind.max
        : second !== undefined
          ? numberOf(second, kind, expression)
          : stepText === undefined
            ? low
            : kind.max
    if (low > high) [low, high] = [high, low]
    for (let value = low; value <= high; value += step) values.add(value)
  }
  return [...values].sort((a, b) => a - b)
}

function numberOf(text: string, kind: FieldKind, expression: string): number {
  if (/^\d+$/.test(text)) {
    const value = Number(text)
    if (value < kind.min || value > kind.max) {
      throw invalid(expression, `${value} is out of range for the ${kind.label} (${kind.min} to ${kind.max})`)
    }
    return value
  }
  const index = kind.names?.findIndex((name) => name.startsWith(text.toLowerCase())) ?? -1
  if (index < 0) throw invalid(expression, `"${text}" is not a ${kind.label}`)
  return kind.min + index
}

function invalid(expression: string, why: string): HostError {
  return new HostError('ERR_HOST_SCHEDULE', `the schedule ${JSON.stringify(expression)} is not valid: ${why}`)
}
