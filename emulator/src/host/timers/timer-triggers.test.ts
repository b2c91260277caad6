import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { manualClock } from '../../core/clock.ts'
import type { FunctionsHostOptions } from '../functions-host.ts'
import { startTestHost, type TestHost } from '../testing/test-host.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

describe('a timer trigger', () => {
  const folder = mkdtempSync(join(tmpdir(), 'host-timers-'))
  const hosts: TestHost[] = []
  const start = async (schedule: string, options: Partial<FunctionsHostOptions> = {}) => {
    const test = await startTestHost({ ...options, env: { TICK_SCHEDULE: schedule } })
    hosts.push(test)
    return test
  }
  afterEach(async () => {
    for (const { host } of hosts.splice(0)) await host.stop()
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  /** What the function was given each time it ran. */
  const ticks = (test: TestHost) =>
    test.logs
      .filter(({ message }) => message.startsWith('tick '))
      .map(({ message }) => JSON.parse(message.slice(5)) as { isPastDue: boolean; scheduleStatus: unknown })

  it('fires at each occurrence of its schedule, and what it starts runs', async () => {
    const test = await start('0 0 */6 * * *')
    await test.host.advance(24 * HOUR)
    expect(ticks(test)).toHaveLength(4)
    expect(ticks(test)[1]).toEqual({
      schedule: { adjustForDST: true },
      scheduleStatus: {
        last: '2026-01-01T06:00:00+00:00',
        next: '2026-01-01T12:00:00+00:00',
        lastUpdated: '2026-01-01T06:00:00+00:00',
      },
      isPastDue: false,
    })
    const started = test.host.durable.hub.instances({})
    expect(started.map(({ status }) => status)).toEqual(Array(4).fill('Completed'))
  })

  it('is fired through the admin API with the master key, and its schedule stays as it was', async () => {
    const test = await start('0 0 0 1 1 *')
    const fire = (key: string, name = 'tick') =>
      test.fetch(`/admin/functions/${name}`, {
        method: 'POST',
        body: '{"input":""}',
        headers: { 'x-functions-key': key },
      })
    expect((await fire(test.host.functionKey)).status).toBe(401)
    expect((await fire(test.host.masterKey)).status).toBe(202)
    await test.host.idle()
    expect(ticks(test)).toHaveLength(1)
    expect(test.host.durable.hub.instances({})).toHaveLength(1)
    expect(test.host.nextDue()).toBe(Date.parse('2027-01-01T00:00:00Z'))
    expect((await fire(test.host.masterKey, 'nobody')).status).toBe(404)
    expect((await fire(test.host.masterKey, 'echo')).status).toBe(501)
  })

  it('that was missed while the host was down runs once at start, marked past due', async () => {
    const clock = manualClock()
    const dataDir = join(folder, 'past-due')
    const first = await start('0 0 * * * *', { clock, dataDir })
    await first.host.advance(HOUR)
    await first.host.stop()
    await clock.advance(5 * HOUR + MINUTE)
    const second = await start('0 0 * * * *', { clock, dataDir })
    await second.host.idle()
    expect(ticks(second)).toMatchObject([{ isPastDue: true }])
    await second.host.advance(HOUR)
    expect(ticks(second)).toMatchObject([{ isPastDue: true }, { isPastDue: false }])
  })

  it('whose schedule was changed meanwhile owes nothing', async () => {
    const clock = manualClock()
    const dataDir = join(folder, 'changed')
    const first = await start('0 0 * * * *', { clock, dataDir })
    await first.host.stop()
    await clock.advance(5 * HOUR)
    const second = await start('0 30 * * * *', { clock, dataDir })
    await second.host.idle()
    expect(ticks(second)).toEqual([])
    expect(second.host.nextDue()).toBe(Date.parse('2026-01-01T05:30:00Z'))
  })

  it('with retry options is called again after its delay, until it succeeds', async () => {
    const test = await start('0 0 0 1 1 *')
    await test.host.advance(365 * 24 * HOUR)
    const tried = () => test.logs.filter(({ message }) => message.startsWith('stubborn')).map(({ message }) => message)
    expect(tried()).toEqual(['stubborn 1 0'])
    await test.host.advance(10_000)
    await test.host.advance(10_000)
    expect(tried()).toEqual(['stubborn 1 0', 'stubborn 2 1', 'stubborn 3 2'])
  })
})
