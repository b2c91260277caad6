import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestHost, type TestHost } from '../testing/test-host.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

describe('the history that an orchestration leaves', () => {
  let test: TestHost
  beforeAll(async () => {
    test = await startTestHost()
  })
  afterAll(() => test.host.stop())

  /** Runs it to its end and gives its history. */
  const historyOf = async (name: string, input?: unknown) => test.signature((await test.run(name, input)).id)

  it('of three activities in sequence has one turn for each', async () => {
    expect(await historyOf('Sequence')).toBe('12 0 4#0 13 · 12 5 4#1 13 · 12 5 4#2 13 · 12 5 1#3 13')
  })

  it('of a fan-out schedules all in one turn, and keeps the order of the results', async () => {
    const id = await test.begin('Fan')
    // The results may come in one turn or in three.
    expect(test.signature(id).replaceAll(/(?<=5) 13 · 12/g, '')).toBe('12 0 4#0 4#1 4#2 13 · 12 5 5 5 1#3 13')
    expect(test.output(id)).toEqual(['hello 1', 'hello 2', 'hello 3'])
  })

  it('of a retry that succeeds has a timer after each failure', async () => {
    const began = test.clock.now()
    const retried = await test.run('Retry', { name: 'third', times: 2, attempts: 5 })
    expect(test.signature(retried.id)).toBe(
      '12 0 4#0 13 · 12 6 10#1 13 · 12 11 4#2 13 · 12 6 10#3 13 · 12 11 4#4 13 · 12 5 1#5 13',
    )
    expect(retried.output).toBe('3')
    // 5 s, then twice as long.
    expect(test.clock.now() - began).toBe(15_000)
  })

  it('of a retry that is exhausted has a last timer that fires at once, before the error reaches the app', async () => {
    const spent = await test.run('Retry', { name: 'never', times: 9, attempts: 3 })
    expect(test.signature(spent.id)).toMatch(/4#4 13 · 12 6 10#5 13 · 12 11 4#6 13 · 12 5 1#7 13$/)
    expect(test.output(spent.id)).toMatch(/^Activity function 'Flaky' failed: {2}flaky 3 \[Hidden Credential\] \n \{/)
  })

  it('of one attempt only has the timer all the same', async () => {
    expect(await historyOf('RetryOnce', { name: 'once', times: 9 })).toBe('12 0 4#0 13 · 12 6 10#1 13 · 12 11 1#2 13')
  })

  it('of a timer is short up to six days', async () => {
    expect(await historyOf('Sleep', 6 * DAY)).toBe('12 0 10#0 13 · 12 11 1#1 13')
  })

  it('of a timer in the past fires at once', async () => {
    const id = await test.begin('Sleep', -HOUR)
    expect(test.signature(id)).toBe('12 0 10#0 13 · 12 11 1#1 13')
  })

  it('of a wait of 20 days and 2 seconds is seven chained timers', async () => {
    const began = test.clock.now()
    const late = await test.run('LongSleep')
    const turns = [1, 2, 3, 4, 5, 6].map((n) => `12 11 10#${n} 13`).join(' · ')
    expect(test.signature(late.id)).toBe(`12 0 10#0 13 · ${turns} · 12 11 4#7 13 · 12 5 1#8 13`)
    expect(test.clock.now() - began).toBe(20 * DAY + 2000)
  })

  it('of an event that beats a cancelled timer ends in the same turn, and the clock is not held by the timer', async () => {
    const id = await test.begin('EventOrTimer', { cancel: true })
    test.host.durable.raiseEvent(id, 'Approval', '"yes"')
    await test.host.idle()
    expect(test.signature(id)).toBe('12 0 10#0 13 · 12 15 1#1 13')
    expect(test.output(id)).toBe('yes')
    const due = test.host.nextDue()
    expect(due === undefined || due > test.clock.now() + DAY).toBe(true)
  })

  it('of an event that beats a timer which nobody cancels stays open until the timer fires', async () => {
    const id = await test.begin('EventOrTimer', {})
    test.host.durable.raiseEvent(id, 'approval', '"case differs"')
    test.host.durable.raiseEvent(id, 'Approval', '"yes"')
    await test.host.idle()
    expect(test.instance(id).status).toBe('Running')
    expect(test.logs.at(-1)?.message).toMatch(/has returned, but 1 activities, timers or sub-orchestrations/)
    await test.host.advance(DAY)
    expect(test.signature(id)).toBe('12 0 10#0 13 · 12 15 15 13 · 12 11 1#1 13')
    expect(test.output(id)).toBe('yes')
  })

  it('of any-of an activity and an hour-long child waits for the child', async () => {
    const id = await test.begin('AnyWithChild')
    expect(test.signature(id)).toBe('12 0 4#0 7#1 13 · 12 5 13')
    await test.host.advance(HOUR)
    expect(test.signature(id)).toBe('12 0 4#0 7#1 13 · 12 5 13 · 12 8 1#2 13')
    expect(test.output(id)).toBe('hello quick')
  })

  it('of a sub-orchestration with retry alternates attempts and timers', async () => {
    const parent = await test.run('ParentRetry')
    expect(test.signature(parent.id)).toBe('12 0 7#0 13 · 12 9 10#1 13 · 12 11 7#2 13 · 12 9 10#3 13 · 12 11 1#4 13')
    expect(test.output(parent.id)).toBe(
      "Orchestrator function 'Child' failed: child broke \n Message: child broke, StackTrace: ",
    )
  })

  it('of continueAsNew keeps the last generation only, with its custom status', async () => {
    const again = await test.run('Again', 0)
    expect(test.signature(again.id)).toBe('12 0 1#0 13')
    expect([again.output, again.customStatus, again.input]).toEqual(['"done at 3"', '{"n":3}', '3'])
  })

  it('of entity calls and signals sends events and receives their answers', async () => {
    const id = await test.begin('Entities', 'k1')
    expect(test.signature(id)).toBe('12 0 14#0 13 · 12 15 14#1 14#2 13 · 12 15 1#3 13')
    expect(test.output(id)).toBe(7)
  })

  it('of a lock visits the entities in order and releases each', async () => {
    const id = await test.begin('Locks')
    expect(test.signature(id)).toMatch(
      /^12 0 14#0 13 · 12 15 14#1 13 · 12 15 14#2 13 · 12 15 14#3 14#4 4#5 13 · 12 5 1#6 13$/,
    )
    await test.host.idle()
    expect(test.host.durable.entity('Counter', 'la')).toMatchObject({ state: '1', lockedBy: null })
  })

  it('of an event that came early keeps it until it is waited for', async () => {
    const { id } = test.host.durable.start({ name: 'EarlyEvent', id: 'early', input: null })
    test.host.durable.raiseEvent(id, 'Go', '"!"')
    await test.host.idle()
    expect(test.signature(id)).toBe('12 0 15 4#0 13 · 12 5 1#1 13')
    expect(test.output(id)).toBe('!')
  })

  it('gives the later of two waiters the first event', async () => {
    const id = await test.begin('TwoWaiters')
    for (const n of ['1', '2']) test.host.durable.raiseEvent(id, 'E', n)
    await test.host.idle()
    expect(test.output(id)).toEqual([2, 1])
  })

  it('carries values to activities and back unchanged', async () => {
    const id = await test.begin('RoundTrip')
    expect(test.output(id)).toEqual({ same: true, none: null, bytes: 'YWI=' })
  })

  it('makes the same guid in every replay', async () => {
    const [first, second] = test.output(await test.begin('Guid')) as string[]
    expect(first).toBe(second)
  })

  it('of callHttp is an activity whose result is the answer', async () => {
    const id = await test.begin('Http', `${test.host.url}/api/files/a`)
    expect(test.signature(id)).toBe('12 0 4#0 13 · 12 5 1#1 13')
    expect(test.output(id)).toEqual({ status: 200, content: 'a' })
  })
})
