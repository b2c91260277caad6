import { describe, expect, it } from 'vitest'
import { judge } from './retry.ts'

const SECOND = 1000
const HOUR = 3_600_000

describe('an attempt to deliver an event', () => {
  it.each([200, 201, 202, 203, 204])('has succeeded with %i', (status) => {
    expect(judge(status, 1, 0, 0)).toEqual({ what: 'delivered' })
  })

  it.each([400, 401, 403, 413])('is the last one with %i', (status) => {
    expect(judge(status, 1, 0, 0)).toMatchObject({ what: 'dropped' })
  })

  it.each([500, 302, 205, undefined])('is made again after %s, ten seconds later at first', (outcome) => {
    expect(judge(outcome, 1, 0, 0)).toEqual({ what: 'again', afterMs: 10 * SECOND })
  })

  it('is made again later and later', () => {
    const delays = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11].map((attempts) => judge(500, attempts, 0, 0))
    expect(delays.map((verdict) => verdict.what === 'again' && verdict.afterMs / SECOND)).toEqual([
      10, 30, 60, 300, 600, 1800, 3600, 10_800, 21_600, 43_200, 43_200,
    ])
  })

  it.each([
    [404, 300],
    [408, 120],
    [503, 30],
  ])('waits longer after %i', (status, seconds) => {
    expect(judge(status, 1, 0, 0)).toEqual({ what: 'again', afterMs: seconds * SECOND })
    expect(judge(status, 7, 0, 0)).toEqual({ what: 'again', afterMs: HOUR })
  })

  it('is not made again after a day, or thirty times', () => {
    expect(judge(500, 8, 0, 21 * HOUR)).toMatchObject({ what: 'again' })
    expect(judge(500, 8, 0, 21 * HOUR + 1)).toMatchObject({ what: 'dropped', why: expect.stringContaining('day') })
    expect(judge(500, 30, 0, 0)).toMatchObject({ what: 'dropped', why: expect.stringContaining('30 times') })
  })
})
