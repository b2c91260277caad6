import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { fixtureApp, startTestHost, type TestHost } from './testing/test-host.ts'

describe('the HTTP side of a hosted app', () => {
  let test: TestHost
  beforeAll(async () => {
    test = await startTestHost({ env: { GIVEN: 'by the caller' } })
  })
  afterAll(() => test.host.stop())

  const keyed = (key: string) => ({ headers: { 'x-functions-key': key } })

  it('hands request and route values to the function and its answer back', async () => {
    const answer = await test.fetch('/api/Echo/Ada%20L/7?q=1&q=2', {
      method: 'POST',
      body: 'hello',
      headers: { 'x-functions-key': test.host.functionKey, 'X-Given': 'yes' },
    })
    expect(answer.status).toBe(201)
    expect(answer.headers.getSetCookie()).toEqual(['a=1; path=/; samesite=strict; httponly', 'b=two%20words; path=/'])
    expect(await answer.json()).toMatchObject({
      method: 'POST',
      params: { name: 'Ada L', count: '7' },
      query: { q: '1,2' },
      body: 'hello',
      header: 'yes',
      functionName: 'echo',
    })
    expect(test.logs).toContainEqual(
      expect.objectContaining({ category: 'user', functionName: 'echo', message: 'echo for Ada L' }),
    )
  })

  it('takes a query name for what it is, whatever JavaScript has under it', async () => {
    const answer = await test.fetch('/api/echo/a?constructor=x&toString=y', keyed(test.host.functionKey))
    expect(await answer.json()).toMatchObject({ query: { constructor: 'x', toString: 'y' } })
  })

  it('answers 401 with an empty body without a key, with a wrong one, and with that of another level', async () => {
    for (const [path, init] of [
      ['/api/echo/a', {}],
      ['/api/echo/a?code=wrong', {}],
      ['/api/echo/a', keyed(test.host.durableKey)],
      ['/api/echo/a', keyed(test.host.keyOf('onlyAdmin'))],
      ['/api/onlyAdmin', keyed(test.host.functionKey)],
      ['/admin/host/status', keyed(test.host.functionKey)],
    ] as const) {
      const answer = await test.fetch(path, init)
      expect([path, answer.status, await answer.text()]).toEqual([path, 401, ''])
    }
  })

  it('takes a function, host or master key, in the header or in the query', async () => {
    for (const key of [test.host.functionKey, test.host.masterKey, test.host.keyOf('echo')]) {
      expect((await test.fetch('/api/echo/a', keyed(key))).status).toBe(201)
      expect((await test.fetch(`/api/echo/a?code=${key}`)).status).toBe(201)
    }
    expect((await test.fetch('/api/onlyAdmin', keyed(test.host.masterKey))).status).toBe(200)
  })

  it('lets the header win over the query', async () => {
    expect((await test.fetch(`/api/echo/a?code=${test.host.masterKey}`, keyed('wrong'))).status).toBe(401)
  })

  it.each([
    ['GET', '/api/nowhere'],
    ['GET', '/elsewhere'],
    ['GET', '/api/echo/a/notANumber'],
    ['GET', '/api/echo/a/1/more'],
    ['DELETE', '/api/echo/a'],
    ['GET', '/api/echo/%ff'],
  ])('answers 404 for %s %s', async (method, path) => {
    expect((await test.fetch(path, { method, ...keyed(test.host.masterKey) })).status).toBe(404)
  })

  it('gives a catch-all the rest of the path', async () => {
    expect(await (await test.fetch('/api/files/a/b%20c/d')).text()).toBe('a/b c/d')
  })

  it('answers 204 for a function that returns nothing, bytes as they are, and 500 with no word for one that throws', async () => {
    expect((await test.fetch('/api/silent')).status).toBe(204)
    expect(new Uint8Array(await (await test.fetch('/api/raw')).arrayBuffer())).toEqual(new Uint8Array([0, 255, 10]))
    const failed = await test.fetch('/api/breaks')
    expect([failed.status, await failed.text()]).toEqual([500, ''])
    expect(test.logs.some(({ message }) => message.includes('a handler that fails'))).toBe(true)
  })

  it('runs the invocation hooks, which may turn an error into a result', async () => {
    expect(await (await test.fetch('/api/recovers')).text()).toBe('recovered true')
  })

  it('gives the app the environment it was given, what the platform sets, and nothing of its own process', async () => {
    expect(await (await test.fetch('/api/environment')).json()).toMatchObject({
      hostName: `localhost:${test.host.port}`,
      noProxy: '127.0.0.1,localhost',
      runtime: 'node',
      given: 'by the caller',
      inherited: null,
    })
  })

  it('has a home page and tells the holder of the master key that it runs', async () => {
    expect((await test.fetch('/')).status).toBe(200)
    const status = await test.fetch('/admin/host/status', keyed(test.host.masterKey))
    expect(await status.json()).toMatchObject({ state: 'Running' })
  })

  it('answers 500 for a request whose thread died, and serves the next one', async () => {
    expect((await test.fetch('/api/crash')).status).toBe(500)
    expect((await test.fetch('/api/silent')).status).toBe(204)
  })

  it('gives the check-status URLs of the durable client, which work', async () => {
    const id = await test.begin('Fan')
    const answer = await test.fetch(`/api/check/${id}`)
    expect(answer.status).toBe(202)
    expect(answer.headers.get('retry-after')).toBe('10')
    const urls = (await answer.json()) as Record<string, string>
    expect(answer.headers.get('location')).toBe(urls.statusQueryGetUri)
    const status = await fetch(urls.statusQueryGetUri as string)
    expect(await status.json()).toMatchObject({ instanceId: id, runtimeStatus: 'Completed' })
  })

  it('ends with the hooks of the app, and frees its port', async () => {
    const other = await startTestHost()
    await other.host.stop()
    await other.host.stop()
    expect(other.logs).toContainEqual(expect.objectContaining({ category: 'console', message: 'the app says goodbye' }))
    await expect(other.fetch('/')).rejects.toThrow()
  })

  it('asks for no function key where keys are off, and for the master key still', async () => {
    const open = await startTestHost({ requireKeys: false })
    expect((await open.fetch('/api/echo/a')).status).toBe(201)
    expect((await open.fetch('/admin/host/status')).status).toBe(401)
    await open.host.stop()
  })

  it('does not serve a function that a setting disables', async () => {
    const without = await startTestHost({ env: { 'AzureWebJobs.silent.Disabled': 'true' } })
    expect((await without.fetch('/api/silent')).status).toBe(404)
    await without.host.stop()
  })
})

describe('an app that cannot be hosted', () => {
  const folder = mkdtempSync(join(tmpdir(), 'host-bad-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  /** An app whose packages are those of the fixtures. */
  const appOf = (name: string, files: Record<string, string>): string => {
    const dir = join(folder, name)
    mkdirSync(dir)
    for (const [file, text] of Object.entries(files)) writeFileSync(join(dir, file), text)
    return dir
  }
  const starting = (appDir: string, options = {}) => startTestHost({ appDir, ...options })
  const library = JSON.stringify(join(fixtureApp('everything'), '../../../../node_modules/@azure/functions'))

  it('because its folder has no package.json', async () => {
    await expect(starting(join(folder, 'none'))).rejects.toMatchObject({ code: 'ERR_HOST_APP_NOT_FOUND' })
  })

  it('because its main matches no file', async () => {
    const dir = appOf('unbuilt', { 'package.json': '{"main":"dist/app.cjs"}' })
    await expect(starting(dir)).rejects.toMatchObject({
      code: 'ERR_HOST_APP_NOT_FOUND',
      message: expect.stringContaining('dist/app.cjs'),
    })
  })

  it('because it throws while loading', async () => {
    const dir = appOf('throws', { 'package.json': '{"main":"a.cjs"}', 'a.cjs': 'throw new Error("no such setting")' })
    await expect(starting(dir)).rejects.toMatchObject({
      code: 'ERR_HOST_APP_LOAD',
      message: expect.stringContaining('no such setting'),
    })
  })

  it('because it registers nothing', async () => {
    const dir = appOf('empty', { 'package.json': '{"main":"a.cjs"}', 'a.cjs': '' })
    await expect(starting(dir)).rejects.toMatchObject({ code: 'ERR_HOST_APP_TEST_MODE' })
  })

  it('because two of its functions have one route', async () => {
    const dir = appOf('twins', {
      'package.json': '{"main":"a.cjs"}',
      'a.cjs': `const { app } = require(${library}); for (const n of ['a', 'b']) app.http(n, { route: 'same/{x}', handler: () => ({}) })`,
    })
    await expect(starting(dir)).rejects.toMatchObject({
      code: 'ERR_HOST_APP_INVALID',
      message: expect.stringContaining('same/{x}'),
    })
  })

  it('because it streams HTTP bodies, which this host does not cover', async () => {
    const dir = appOf('streams', {
      'package.json': '{"main":"a.cjs"}',
      'a.cjs': `const { app } = require(${library}); app.setup({ enableHttpStream: true }); app.http('a', { handler: () => ({}) })`,
    })
    await expect(starting(dir)).rejects.toMatchObject({ code: 'ERR_HOST_NOT_COVERED' })
  })

  it('because its host.json is not JSON, or names a hub that Azure refuses', async () => {
    const bad = appOf('badjson', { 'package.json': '{"main":"a.cjs"}', 'host.json': '{' })
    await expect(starting(bad)).rejects.toMatchObject({ code: 'ERR_HOST_CONFIG' })
    const hub = appOf('badhub', {
      'package.json': '{"main":"a.cjs"}',
      'host.json': '{"version":"2.0","extensions":{"durableTask":{"hubName":"1-x"}}}',
    })
    await expect(starting(hub)).rejects.toMatchObject({ message: expect.stringContaining('hubName') })
  })

  it('because its timer names a setting that has no value', async () => {
    await expect(startTestHost({ env: { TICK_SCHEDULE: undefined } })).rejects.toMatchObject({
      code: 'ERR_HOST_SCHEDULE',
      message: expect.stringContaining('TICK_SCHEDULE'),
    })
  })

  it('because its port is in use', async () => {
    const holder = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => holder.once('listening', resolve))
    const { port } = holder.address() as AddressInfo
    await expect(startTestHost({ port })).rejects.toMatchObject({
      code: 'ERR_HOST_PORT_IN_USE',
      message: `port ${port} of 127.0.0.1 is in use`,
    })
    await new Promise((resolve) => holder.close(resolve))
  })
})

it('keeps the local RPC of the durable client to the app: other users of the machine reach its port too', async () => {
  const listen = vi.spyOn(Server.prototype, 'listen')
  const test = await startTestHost()
  try {
    const ports = listen.mock.contexts.map((server) => ((server as Server).address() as AddressInfo).port)
    const rpc = ports.filter((port) => port !== test.host.port)
    expect(rpc).toHaveLength(1)
    for (const path of ['instances', 'instances/absent', 'orchestrators/echo', `${'x'.repeat(43)}/instances`]) {
      for (const method of ['GET', 'POST', 'DELETE']) {
        const url = `http://127.0.0.1:${rpc[0]}/durabletask/${path}`
        expect([method, path, (await fetch(url, { method })).status]).toEqual([method, path, 404])
      }
    }
    expect(await test.client('getStatusAll')).toBeInstanceOf(Array)
  } finally {
    listen.mockRestore()
    await test.host.stop()
  }
})
