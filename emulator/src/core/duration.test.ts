import { describe, expect, it } from 'vitest'
import { parseDuration } from './duration.ts'

const DAY = 86_400_000
const at = Date.parse('2026-01-31T12:00:00Z')

describe('a duration', () => {
  it.each([
    ['90d', 90 * DAY],
    ['P90D', 90 * DAY],
    ['2w', 14 * DAY],
    ['1d12h', 1.5 * DAY],
    ['30m', 1_800_000],
    ['5s', 5000],
    ['250ms', 250],
    ['0s', 0],
    ['PT36H', 1.5 * DAY],
    ['P1DT0.5S', DAY + 500],
    ['P1M', 28 * DAY],
    ['P1Y', 365 * DAY],
  ])('%s is %d ms', (text, ms) => {
    expect(parseDuration(text, at)).toBe(ms)
  })

  it.each(['', 'P', 'PT', 'd', '-1d', '1.5d', '1h1d', 'P1', '90', '1M', 'P1H', '999999999d', 'P9999999999Y'])(
    'is not %j',
    (text) => {
      expect(parseDuration(text, at)).toBeUndefined()
    },
  )
})
