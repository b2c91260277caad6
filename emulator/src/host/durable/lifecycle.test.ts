import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestHost, type TestHost } from '../testing/test-host.ts'

const HOUR = 3_600_000

describe('an orchestration on the host', () => {
  const folder = mkdtempSync(join(tmpdir(), 'host-lifecycle-'))
  const marks = join(folder, 'marks')
  let test: TestHost
  beforeAll(async () => {
    test = await startTestHost({ env: { MARKS: marks } })
  })
  afterAll(async () => {
    await test.host.stop()
    rmSync(folder, { recursive: true })
  })

  it('that throws fails with the text that Azure gives', async () => {
    expect(test.instance(await test.begin('Throws'))).toMatchObject({
      status: 'Failed',
      output: "Orchestrator function 'Throws' failed: orchestrator broke",
    })
  })

  it('fails with the reason of an activity that failed, what looks like a credential taken out', async () => {
    const { status, output } = test.instance(await test.begin('ActivityFails'))
    expect(status).toBe('Failed')
    expect(output).toMatch(
      /^Orchestrator function 'ActivityFails' failed: Activity function 'Flaky' failed: {2}flaky 1 \[Hidden/,
    )
    expect(output).not.toContain('secret')
  })

  it('fails, and says so, where Azure would wait for an activity that does not exist', async () => {
    const { status, output } = test.instance(await test.begin('MissingActivity'))
    expect(status).toBe('Failed')
    expect(output).toContain("the activity function 'Nobody' doesn't exist")
  })

  it('fails as non-deterministic when it schedules something else in a replay', async () => {
    const { status, output } = test.instance(await test.begin('Moody'))
    expect(status).toBe('Failed')
    expect(output).toMatch(/^Non-Deterministic workflow detected: .*"Hello" with sequence ID 0.*"Same"/)
  })

  it('hands a child its input and id, and takes its result', async () => {
    const id = await test.begin('Parent', { x: 'X', id: 'the-child' })
    expect(test.output(id)).toEqual({ child: 'hello X' })
    expect(test.instance('the-child').parent?.OrchestrationInstance.InstanceId).toBe(id)
  })

  it('names a child after its own execution when the app does not', async () => {
    const id = await test.begin('Parent', {})
    const child = test.host.durable.history(id).find(({ EventType }) => EventType === 7)
    expect(child?.InstanceId).toBe(`${test.instance(id).execution}:0000`)
  })

  it('sees the failure of its child', async () => {
    const { status, output } = test.instance(await test.begin('Parent', { fail: true }))
    expect(status).toBe('Failed')
    expect(output).toContain("Orchestrator function 'Child' failed: child broke")
  })

  it('that continues as new carries over the events that came after it decided to, in their order', async () => {
    const id = await test.begin('Collect', [])
    for (const item of ['1', '2', '3', '"end"']) test.host.durable.raiseEvent(id, 'Item', item)
    await test.host.idle()
    expect(test.output(id)).toEqual([1, 2, 3])
  })

  it('fails when its child is terminated: the library cannot read such an end, on Azure either', async () => {
    const id = await test.begin('Parent', { sleep: HOUR, id: 'doomed' })
    test.host.durable.terminate('doomed', 'no more')
    await test.host.idle()
    expect(test.signature(id)).toMatch(/12 9 1#1 13$/)
    expect(test.instance(id).status).toBe('Failed')
    expect(test.instance(id).output).toContain('could not parse its exception data')
  })

  it('ends at once when terminated, with the reason as output, and leaves no timer behind', async () => {
    const before = test.host.nextDue()
    const id = await test.begin('Sleep', HOUR)
    expect(test.host.durable.terminate(id, 'not wanted')).toBe('accepted')
    await test.host.idle()
    expect(test.instance(id)).toMatchObject({ status: 'Terminated', output: '"not wanted"' })
    expect(test.host.nextDue()).toBe(before)
    expect(test.host.durable.terminate(id, 'again')).toBe('finished')
    expect(test.host.durable.terminate('nobody', '')).toBe('unknown')
  })

  it('holds back what it would do while suspended, and goes on when resumed', async () => {
    const id = await test.begin('EarlyEvent')
    test.host.durable.suspend(id, 'wait')
    await test.host.idle()
    expect(test.instance(id).status).toBe('Suspended')
    expect(test.host.durable.suspend(id, 'twice')).toBe('wrongState')
    test.host.durable.raiseEvent(id, 'Go', '"now"')
    await test.host.idle()
    expect(test.instance(id)).toMatchObject({ status: 'Suspended', output: null })
    test.host.durable.resume(id, 'go on')
    await test.host.idle()
    expect(test.instance(id)).toMatchObject({ status: 'Completed', output: '"now"' })
    expect(test.host.durable.resume(id, '')).toBe('finished')
  })

  it('is purged with its history once finished, and not before', async () => {
    const running = await test.begin('EarlyEvent')
    expect(test.host.durable.purge(running)).toBe(false)
    const finished = await test.begin('Fan')
    expect(test.host.durable.purge(finished)).toBe(true)
    expect(test.host.durable.status(finished)).toBeUndefined()
    expect(test.host.durable.history(finished)).toEqual([])
  })

  it('may take the id of a finished one, not of a running one', async () => {
    await test.begin('EarlyEvent', undefined, 'same-id')
    expect(() => test.host.durable.start({ name: 'Fan', id: 'same-id', input: null })).toThrow(/already exists/)
    test.host.durable.raiseEvent('same-id', 'Go', '1')
    await test.host.idle()
    await test.begin('Fan', undefined, 'same-id')
    expect(test.instance('same-id').name).toBe('Fan')
  })

  it('runs no more activities at once than host.json allows', async () => {
    const most = test.output(await test.begin('Crowd')) as number
    expect(most).toBeGreaterThan(1)
    expect(most).toBeLessThanOrEqual(4)
  })

  it('delivers an activity again whose thread died, in a new thread', async () => {
    const id = await test.begin('Survivor')
    await test.host.idle()
    expect(test.output(id)).toBe('alive')
    expect(readFileSync(marks, 'utf8')).toBe('died\ndied\n')
    expect(test.logs.some(({ message }) => message.includes('the app is started again'))).toBe(true)
  })

  it.each(['@a', 'a/b', 'a\\b', 'a#b', 'a?b', 'a\u0001b', 'a'.repeat(257)])('refuses the instance id %j', (id) => {
    expect(() => test.host.durable.start({ name: 'Fan', id, input: null })).toThrow(/Instance IDs must not/)
  })

  it('of an unknown name is refused with the names that exist', () => {
    expect(() => test.host.durable.start({ name: 'Nope', input: null })).toThrow(/'Nope' doesn't exist.*'Sequence'/)
  })
})

describe('an entity on the host', () => {
  let test: TestHost
  beforeAll(async () => {
    test = await startTestHost()
  })
  afterAll(() => test.host.stop())

  const counter = (key: string) => ({ entity: ['Counter', key] })

  it('is signalled and read through the client', async () => {
    await test.client('signalEntity', counter('a'), 'add', 3)
    await test.client('signalEntity', counter('a'), 'add', 4)
    await test.host.idle()
    expect(await test.client('readEntityState', counter('a'))).toEqual({ entityExists: true, entityState: 7 })
    expect(await test.client('readEntityState', counter('none'))).toMatchObject({ entityExists: false })
  })

  it('signals another entity', async () => {
    await test.client('signalEntity', counter('from'), 'forward', 'to')
    await test.host.idle()
    expect(test.host.durable.entity('Counter', 'to')?.state).toBe('5')
  })

  it('is gone after it destructs itself', async () => {
    await test.client('signalEntity', counter('gone'), 'add', 1)
    await test.client('signalEntity', counter('gone'), 'delete')
    await test.host.idle()
    expect(test.host.durable.entity('Counter', 'gone')).toBeUndefined()
  })

  it('gives its caller the text that it threw', async () => {
    expect(test.output(await test.begin('EntityFails'))).toBe('counter refuses')
  })

  it('of an unknown name cannot be signalled', async () => {
    await expect(test.client('signalEntity', { entity: ['Nope', 'k'] }, 'add', 1)).rejects.toThrow(/400|doesn't exist/)
  })
})
