import { describe, expect, it } from 'vitest'
import { addDuration, daysOf, readDuration, subtractDuration } from './duration.ts'

const at = (text: string) => Date.parse(text) / 1000
const iso = (seconds: number) => new Date(seconds * 1000).toISOString()

describe('a duration', () => {
  it.each([
    ['P30D', { months: 0, days: 30 }],
    ['P2M', { months: 2, days: 0 }],
    ['P1Y6M', { months: 18, days: 0 }],
    ['P2W1D', { months: 0, days: 15 }],
  ])('%s is read', (text, duration) => {
    expect(readDuration(text)).toEqual(duration)
  })

  it.each(['', 'P', '30D', 'P0D', 'P-1D', 'P1.5Y', 'PT24H', 'P1DT1H', 'p30d', 'P1000000D', 'P30D '])(
    '%j is none',
    (text) => {
      expect(readDuration(text)).toBeUndefined()
    },
  )

  it('of days is exact: the new version of a recorded rotation expires 7776000 seconds after it was created', () => {
    expect(addDuration(1_656_356_491, 'P90D')).toBe(1_664_132_491)
  })

  it('of months goes by the calendar, both ways', () => {
    expect(iso(addDuration(at('2026-01-15T10:00:00Z'), 'P1Y1M'))).toBe('2027-02-15T10:00:00.000Z')
    expect(iso(subtractDuration(at('2027-02-15T10:00:00Z'), 'P1Y1M'))).toBe('2026-01-15T10:00:00.000Z')
  })

  it('never runs over the end of a shorter month', () => {
    expect(iso(addDuration(at('2026-01-31T00:00:00Z'), 'P1M'))).toBe('2026-02-28T00:00:00.000Z')
    expect(iso(addDuration(at('2028-02-29T00:00:00Z'), 'P1Y'))).toBe('2029-02-28T00:00:00.000Z')
    expect(iso(subtractDuration(at('2026-03-31T00:00:00Z'), 'P1M'))).toBe('2026-02-28T00:00:00.000Z')
  })

  it('of the longest kind still is a time', () => {
    expect(Number.isSafeInteger(addDuration(at('2026-01-01T00:00:00Z'), 'P9999Y99999M99999W999999D'))).toBe(true)
  })

  it('has a length in days, by which the minimums are measured', () => {
    expect([daysOf('P28D'), daysOf('P1M'), daysOf('P4W')]).toEqual([28, 31, 28])
  })
})
