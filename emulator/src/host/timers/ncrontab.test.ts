import { describe, expect, it } from 'vitest'
import { parseNCrontab, toPlainCron } from './ncrontab.ts'
import { parseSchedule } from './schedule.ts'

const plain = (expression: string) => toPlainCron(parseNCrontab(expression))

describe('an NCrontab expression', () => {
  it.each([
    ['0 */5 * * * *', '0 0,5,10,15,20,25,30,35,40,45,50,55 * * * *'],
    ['*/5 * * * *', '0 0,5,10,15,20,25,30,35,40,45,50,55 * * * *'],
    ['0 0 9-17 * * Mon-Fri', '0 0 9,10,11,12,13,14,15,16,17 * * 1,2,3,4,5'],
    ['0 0 22-2 * * *', '0 0 2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22 * * *'],
    ['0 0 0 * * Fri-Mon', '0 0 0 * * 1,2,3,4,5'],
    ['0 0 0 * M T', '0 0 0 * 3 2'],
    ['0 0 0 * J thursday', '0 0 0 * 1 4'],
    ['40/10 0 0 1,15 * *', '40,50 0 0 1,15 * *'],
    ['0 1-9/0 0 * * *', '0 1,2,3,4,5,6,7,8,9 0 * * *'],
    ['0 0 0 31 2 *', '0 0 0 31 2 *'],
  ])('%j means %j', (expression, expected) => {
    expect(plain(expression)).toBe(expected)
  })

  it.each([
    '',
    '* * * *',
    '0 0 0 0 0 0 0',
    '60 0 0 * * *',
    '0 0 24 * * *',
    '0 0 0 0 * *',
    '0 0 0 * 13 *',
    '0 0 0 * * 7',
    '0 0 0 ? * *',
    '0 0 0 L * *',
    '0 0 0 15W * *',
    '0 0 0 * * 5#2',
    '@hourly',
    '0 0 0 * Foo *',
    '0 *-5 0 * * *',
    '0 0 0 1,,2 * *',
    '0 -1 0 * * *',
  ])('%j is refused', (expression) => {
    expect(() => parseNCrontab(expression)).toThrow(expect.objectContaining({ code: 'ERR_HOST_SCHEDULE' }))
  })

  it('matches a day of the month and a day of the week only where both do', () => {
    const friday13 = parseSchedule('0 0 0 13 * Fri', {})
    expect(new Date(friday13.next(Date.parse('2026-01-01T00:00:00Z')) as number).toISOString()).toBe(
      '2026-02-13T00:00:00.000Z',
    )
  })

  it('that no day matches has no next occurrence', () => {
    expect(parseSchedule('0 0 0 30 2 *', {}).next(Date.parse('2026-01-01T00:00:00Z'))).toBeUndefined()
  })

  it('gives what comes after a time, never that time itself', () => {
    const hourly = parseSchedule('0 0 * * * *', {})
    expect(hourly.next(Date.parse('2026-01-01T00:00:00Z'))).toBe(Date.parse('2026-01-01T01:00:00Z'))
    expect(hourly.next(Date.parse('2026-01-01T00:59:59.999Z'))).toBe(Date.parse('2026-01-01T01:00:00Z'))
  })

  it('is read in its time zone', () => {
    const morning = parseSchedule('0 0 8 * * *', {}, 'Europe/Berlin')
    expect(morning.next(Date.parse('2026-07-01T00:00:00Z'))).toBe(Date.parse('2026-07-01T06:00:00Z'))
  })

  it('takes settings between percent signs', () => {
    expect(parseSchedule('%WHEN%', { WHEN: '0 0 0 1 1 *' }).next(0)).toBe(Date.parse('1971-01-01T00:00:00Z'))
    expect(() => parseSchedule('%WHEN%', {})).toThrow(/WHEN/)
  })

  it('may be a time span instead', () => {
    expect(parseSchedule('00:00:30', {})).toMatchObject({ kind: 'constant', tooFrequentToMonitor: true })
    expect(parseSchedule('1.02:00:00', {}).next(0)).toBe(26 * 3_600_000)
    expect(() => parseSchedule('00:00:00', {})).toThrow(/longer than zero/)
  })

  it.each([
    ['*/10 * * * * *', true],
    ['*/10 0 * * * *', false],
    ['0 * * * * *', false],
  ])('%j is too frequent for the monitor: %j', (expression, tooFrequent) => {
    expect(parseSchedule(expression, {}).tooFrequentToMonitor).toBe(tooFrequent)
  })
})
