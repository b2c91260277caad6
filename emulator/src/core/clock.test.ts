import { describe, expect, it } from 'vitest'
import { type MovableClock, manualClock, systemClock } from './clock.ts'

const DAY = 86_400_000

describe.each<[string, () => MovableClock]>([
  ['a clock that stands still', () => manualClock()],
  ['the system clock', () => systemClock()],
])('%s, when it is moved', (_name, create) => {
  it('fires what came due in the order of its times, each at its own time', async () => {
    const clock = create()
    const start = clock.now()
    const days: [string, number][] = []
    const note = (what: string) => () => void days.push([what, Math.round((clock.now() - start) / DAY)])
    clock.at(start + 20 * DAY, note('second'))
    clock.at(start + 10 * DAY, note('first'))
    clock.at(start + 40 * DAY, note('never'))
    await clock.advance(30 * DAY)
    expect(days).toEqual([
      ['first', 10],
      ['second', 20],
    ])
    expect(Math.round((clock.now() - start) / DAY)).toBe(30)
  })

  it('waits for what an alarm does, and for the alarms that this sets', async () => {
    const clock = create()
    const start = clock.now()
    const done: number[] = []
    const again = async () => {
      await new Promise((resolve) => setImmediate(resolve))
      done.push(Math.round((clock.now() - start) / DAY))
      clock.at(clock.now() + 10 * DAY, again)
    }
    clock.at(start + 10 * DAY, again)
    await clock.advance(35 * DAY)
    expect(done).toEqual([10, 20, 30])
  })

  it('waits for what an alarm that lay in the past is still doing', async () => {
    const clock = create()
    const steps: string[] = []
    clock.at(clock.now() - DAY, async () => {
      for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve))
      steps.push('done')
    })
    await new Promise((resolve) => setImmediate(resolve))
    await clock.advance(DAY)
    steps.push('moved')
    expect(steps).toEqual(['done', 'moved'])
  })

  it('does not fire what was disposed of', async () => {
    const clock = create()
    const fired: string[] = []
    const alarm = clock.at(clock.now() + DAY, () => void fired.push('disposed of'))
    clock.at(clock.now() + DAY / 2, () => alarm[Symbol.dispose]())
    await clock.advance(2 * DAY)
    expect(fired).toEqual([])
  })

  it('goes as far as two moves at once together, and never back', async () => {
    const clock = create()
    const start = clock.now()
    await Promise.all([clock.advance(DAY), clock.advance(2 * DAY)])
    expect(Math.round((clock.now() - start) / DAY)).toBe(3)
    await expect(clock.advance(-1)).rejects.toThrow('only moves forward')
  })
})
