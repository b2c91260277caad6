import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestHost, type TestHost } from '../testing/test-host.ts'

const BASE = '/runtime/webhooks/durabletask'

describe('the Durable extension’s HTTP API', () => {
  let test: TestHost
  beforeAll(async () => {
    test = await startTestHost()
  })
  afterAll(() => test.host.stop())

  const call = (method: string, path: string, init: RequestInit = {}) =>
    test.fetch(`${BASE}/${path}${path.includes('?') ? '&' : '?'}code=${test.host.durableKey}`, { method, ...init })
  const json = { headers: { 'content-type': 'application/json' } }

  it('opens to the system key and the master key only', async () => {
    const get = (key?: string) =>
      test.fetch(`${BASE}/instances/`, key === undefined ? {} : { headers: { 'x-functions-key': key } })
    expect((await get()).status).toBe(401)
    expect((await get(test.host.functionKey)).status).toBe(401)
    expect((await get(test.host.durableKey)).status).toBe(200)
    expect((await get(test.host.masterKey)).status).toBe(200)
  })

  it('starts an instance and answers where to ask about it', async () => {
    const started = await call('POST', 'orchestrators/Fan/api-1', { body: '{"a":1}', ...json })
    expect(started.status).toBe(202)
    expect(started.headers.get('retry-after')).toBe('10')
    const urls = (await started.json()) as Record<string, string>
    const query = `taskHub=Everything&connection=Storage&code=${test.host.durableKey}`
    const instance = `${test.host.url}${BASE}/instances/api-1`
    expect(urls).toEqual({
      id: 'api-1',
      statusQueryGetUri: `${instance}?${query}`,
      sendEventPostUri: `${instance}/raiseEvent/{eventName}?${query}`,
      terminatePostUri: `${instance}/terminate?reason={text}&${query}`,
      purgeHistoryDeleteUri: `${instance}?${query}`,
      restartPostUri: `${instance}/restart?${query}`,
      suspendPostUri: `${instance}/suspend?reason={text}&${query}`,
      resumePostUri: `${instance}/resume?reason={text}&${query}`,
    })
    await test.host.idle()
    const status = await fetch(urls.statusQueryGetUri as string)
    expect(status.status).toBe(200)
    expect(await status.json()).toEqual({
      name: 'Fan',
      instanceId: 'api-1',
      runtimeStatus: 'Completed',
      input: { a: 1 },
      customStatus: null,
      output: ['hello 1', 'hello 2', 'hello 3'],
      createdTime: '2026-01-01T00:00:00Z',
      lastUpdatedTime: '2026-01-01T00:00:00Z',
    })
  })

  it('answers 202 with Location while it runs, 404 for nobody, 500 for a failure where that is asked for', async () => {
    await test.begin('EarlyEvent', undefined, 'api-running')
    const running = await call('GET', 'instances/api-running')
    expect([running.status, running.headers.get('retry-after')]).toEqual([202, '5'])
    expect(running.headers.get('location')).toContain('/instances/api-running')
    expect((await call('GET', 'instances/nobody')).status).toBe(404)
    await test.begin('Throws', undefined, 'api-failed')
    expect((await call('GET', 'instances/api-failed')).status).toBe(200)
    expect((await call('GET', 'instances/api-failed?returnInternalServerErrorOnFailure=TRUE')).status).toBe(500)
  })

  it('shows a history for people: names, results on demand, what was scheduled merged into its completion', async () => {
    await test.begin('Sequence', undefined, 'api-history')
    const body = (await (
      await call('GET', 'instances/api-history?showHistory=true&showHistoryOutput=true')
    ).json()) as {
      historyEvents: Record<string, unknown>[]
    }
    expect(body.historyEvents.map(({ EventType }) => EventType)).toEqual([
      'ExecutionStarted',
      'TaskCompleted',
      'TaskCompleted',
      'TaskCompleted',
      'ExecutionCompleted',
    ])
    expect(body.historyEvents[1]).toEqual({
      EventType: 'TaskCompleted',
      Timestamp: '2026-01-01T00:00:00.000Z',
      ScheduledTime: '2026-01-01T00:00:00.000Z',
      FunctionName: 'Hello',
      Result: 'hello a',
    })
    expect(body.historyEvents[4]).toMatchObject({ OrchestrationStatus: 'Completed' })
  })

  it('refuses an unknown function, a bad id and a body that is not JSON with 400, a running id with 409', async () => {
    const unknown = await call('POST', 'orchestrators/Nope')
    expect(unknown.status).toBe(400)
    expect(((await unknown.json()) as { Message: string }).Message).toContain("'Nope' doesn't exist")
    expect((await call('POST', 'orchestrators/Fan/@x')).status).toBe(400)
    expect((await call('POST', 'orchestrators/Fan', { body: '{', ...json })).status).toBe(400)
    await test.begin('EarlyEvent', undefined, 'api-busy')
    expect((await call('POST', 'orchestrators/Fan/api-busy')).status).toBe(409)
  })

  it('raises an event: 202, 404, 410, and 400 for a body that is no JSON', async () => {
    await test.begin('EarlyEvent', undefined, 'api-event')
    const raise = (id: string, init: RequestInit) => call('POST', `instances/${id}/raiseEvent/Go`, init)
    expect((await raise('api-event', { body: '1' })).status).toBe(400)
    expect((await raise('api-event', { ...json })).status).toBe(400)
    expect((await raise('nobody', { body: '1', ...json })).status).toBe(404)
    expect((await raise('api-event', { body: '{"n":1}', ...json })).status).toBe(202)
    await test.host.idle()
    expect(test.output('api-event')).toEqual({ n: 1 })
    expect((await raise('api-event', { body: '1', ...json })).status).toBe(410)
  })

  it('lists in pages, filtered by status and time', async () => {
    for (const n of [1, 2, 3]) await test.begin('Fan', undefined, `page-${n}`)
    const ids = async (answer: Response) =>
      ((await answer.json()) as { instanceId: string }[]).map(({ instanceId }) => instanceId)
    const first = await call('GET', 'instances/?instanceIdPrefix=page-&top=2')
    expect(await ids(first)).toEqual(['page-1', 'page-2'])
    const token = first.headers.get('x-ms-continuation-token') as string
    const second = await call('GET', 'instances/?instanceIdPrefix=page-&top=2', {
      headers: { 'x-ms-continuation-token': token },
    })
    expect([await ids(second), second.headers.get('x-ms-continuation-token')]).toEqual([['page-3'], ''])
    expect(await ids(await call('GET', 'instances/?instanceIdPrefix=page-&runtimeStatus=Failed,Running'))).toEqual([])
    expect(
      await ids(await call('GET', 'instances/?instanceIdPrefix=page-&createdTimeFrom=2030-01-01T00:00:00Z')),
    ).toEqual([])
  })

  it('terminates, suspends, resumes; a word that is no verb is 404', async () => {
    await test.begin('EarlyEvent', undefined, 'api-verbs')
    expect((await call('POST', 'instances/api-verbs/suspend?reason=x')).status).toBe(202)
    await test.host.idle()
    expect((await call('POST', 'instances/api-verbs/suspend?reason=x')).status).toBe(500)
    expect((await call('POST', 'instances/api-verbs/RESUME?reason=x')).status).toBe(202)
    expect((await call('POST', 'instances/api-verbs/terminate?reason=done')).status).toBe(202)
    await test.host.idle()
    expect(test.instance('api-verbs')).toMatchObject({ status: 'Terminated', output: '"done"' })
    expect((await call('POST', 'instances/api-verbs/terminate')).status).toBe(410)
    expect((await call('POST', 'instances/api-verbs/rewind')).status).toBe(412)
    expect((await call('POST', 'instances/api-verbs/dance')).status).toBe(404)
    expect((await call('PUT', 'instances/api-verbs')).status).toBe(404)
  })

  it('restarts with a new id, and purges', async () => {
    await test.begin('Sequence', undefined, 'api-restart')
    const restarted = await call('POST', 'instances/api-restart/restart')
    const { id } = (await restarted.json()) as { id: string }
    expect(id).toMatch(/^[0-9a-f]{32}$/)
    await test.host.idle()
    expect(test.instance(id).status).toBe('Completed')
    expect(await (await call('DELETE', `instances/${id}`)).json()).toEqual({ instancesDeleted: 1 })
    expect((await call('DELETE', `instances/${id}`)).status).toBe(404)
    expect((await call('DELETE', 'instances/')).status).toBe(400)
    expect((await call('POST', 'instances/nobody/restart')).status).toBe(400)
  })

  it('reads, lists and deletes entities', async () => {
    await call('POST', 'entities/Counter/e1?op=add', { body: '4', ...json })
    await test.host.idle()
    expect(await (await call('GET', 'entities/counter/e1')).json()).toBe(4)
    expect(await (await call('GET', 'entities/Counter?fetchState=true')).json()).toEqual([
      { entityId: { name: 'counter', key: 'e1' }, lastOperationTime: '2026-01-01T00:00:00Z', state: 4 },
    ])
    expect((await call('DELETE', 'entities/Counter/e1')).status).toBe(202)
    await test.host.idle()
    expect((await call('GET', 'entities/Counter/e1')).status).toBe(404)
    expect((await call('POST', 'entities/Nope/k?op=add')).status).toBe(400)
  })

  it('serves the app’s own client, which pages, filters, waits and tells errors apart', async () => {
    expect(await test.client('getStatusBy', { runtimeStatus: ['Terminated'] })).toMatchObject([
      { instanceId: 'api-verbs' },
    ])
    expect(((await test.client('getStatusAll')) as unknown[]).length).toBeGreaterThan(5)
    expect(await test.client('startNew', 'Fan', { instanceId: 'from-app', input: [1] })).toBe('from-app')
    await test.host.idle()
    expect(await test.client('getStatus', 'from-app')).toMatchObject({ runtimeStatus: 'Completed' })
    expect(await test.client('purgeInstanceHistory', 'from-app')).toEqual({ instancesDeleted: 1 })
    await expect(test.client('getStatus', 'from-app')).rejects.toThrow(/404/)
    await expect(test.client('terminate', 'nobody', 'x')).rejects.toThrow(/No instance with ID 'nobody' found/)
    await expect(test.client('startNew', 'Nope')).rejects.toThrow(/'Nope' doesn't exist/)
  })
})
