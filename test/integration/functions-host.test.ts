import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../emulator/src/core/clock.ts'
import { fixtureApp, startTestHost, type TestHost } from '../../emulator/src/host/testing/test-host.ts'

const folder = mkdtempSync(join(tmpdir(), 'functions-host-'))
const children: ChildProcess[] = []
const hosts: TestHost[] = []

afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  for (const { host } of hosts.splice(0)) await host.stop()
})
afterAll(() => rmSync(folder, { recursive: true }))

interface Line {
  readonly message?: string
  readonly ready?: string
  readonly failed?: string
}

/** Starts a host in a process of its own; `until` ends when a line of its output satisfies the test. */
function hostProcess(options: object): { child: ChildProcess; until(test: (line: Line) => boolean): Promise<Line> } {
  const script = fileURLToPath(new URL('../fixtures/host-apps/serve.ts', import.meta.url))
  const child = spawn(process.execPath, [script, JSON.stringify({ appDir: fixtureApp('everything'), ...options })], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })
  return {
    child,
    until: (test) =>
      new Promise((resolve, reject) => {
        child.once('exit', (code) => reject(new Error(`the host process ended with ${code}`)))
        lines.on('line', (text) => {
          const line = JSON.parse(text) as Line
          if (test(line)) resolve(line)
        })
      }),
  }
}

async function killed(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await gone
}

async function hostOn(dataDir: string, env: Record<string, string> = {}): Promise<TestHost> {
  const test = await startTestHost({ dataDir, clock: systemClock(), env })
  hosts.push(test)
  return test
}

const MARKS_SIGNATURE = '12 0 4#0 13 · 12 5 4#1 13 · 12 5 4#2 13 · 12 5 10#3 13 · 12 11 4#4 13 · 12 5 1#5 13'
const HOUR = 3_600_000

describe('a host that is killed with SIGKILL', () => {
  it.each(['one', 'two', 'three'])(
    'inside activity "%s" goes on from there, and delivers that activity again',
    async (label) => {
      const dataDir = join(folder, `killed-${label}`)
      const marks = join(folder, `marks-${label}`)
      const env = { TICK_SCHEDULE: '0 0 0 1 1 *', MARKS: marks }
      const first = hostProcess({ dataDir, env: { ...env, HANG_AT: label }, start: [{ name: 'Marks', id: 'm' }] })
      await first.until(({ message }) => message === `marked ${label}`)
      await killed(first.child)

      const second = await hostOn(dataDir, env)
      await second.host.idle()
      await second.host.advance(HOUR)
      expect(second.instance('m')).toMatchObject({ status: 'Completed', output: '["one","two","three","four"]' })
      expect(second.signature('m')).toBe(MARKS_SIGNATURE)
      const wanted = ['one', 'two', 'three', 'four'].flatMap((mark) => (mark === label ? [mark, mark] : [mark]))
      expect(readFileSync(marks, 'utf8').trim().split('\n')).toEqual(wanted)
    },
  )

  it('anywhere in a crowd of orchestrations loses no turn and applies none twice', async () => {
    const dataDir = join(folder, 'crowd')
    const marks = join(folder, 'marks-crowd')
    const env = { TICK_SCHEDULE: '0 0 0 1 1 *', MARKS: marks }
    const ids = Array.from({ length: 10 }, (_, n) => `m${n}`)
    const first = hostProcess({ dataDir, env, start: ids.map((id) => ({ name: 'Marks', id })) })
    let seen = 0
    await first.until(({ message }) => {
      if (message?.startsWith('marked')) seen += 1
      return seen === 13
    })
    await killed(first.child)

    const second = await hostOn(dataDir, env)
    await second.host.idle()
    await second.host.advance(HOUR)
    expect(ids.map((id) => second.instance(id).status)).toEqual(ids.map(() => 'Completed'))
    expect(new Set(ids.map((id) => second.signature(id)))).toEqual(new Set([MARKS_SIGNATURE]))
    expect(readFileSync(marks, 'utf8').trim().split('\n').length).toBeGreaterThanOrEqual(40)
  })

  it('leaves a data directory that is free, and was not while it lived', async () => {
    const dataDir = join(folder, 'locked')
    const options = { dataDir, env: { TICK_SCHEDULE: '0 0 0 1 1 *' } }
    const holder = hostProcess(options)
    await holder.until(({ ready }) => ready !== undefined)
    await expect(hostOn(dataDir)).rejects.toMatchObject({
      code: 'ERR_HOST_DATA_IN_USE',
      message: `the data directory ${dataDir} is in use by another host (process ${holder.child.pid})`,
    })
    await killed(holder.child)
    const next = await hostOn(dataDir)
    await expect(hostOn(dataDir)).rejects.toMatchObject({ code: 'ERR_HOST_DATA_IN_USE' })
    expect((await next.fetch('/')).status).toBe(200)
  })
})

describe('the data directory of a host', () => {
  it('is readable by its owner only, and keeps instances and keys over a restart', async () => {
    const dataDir = join(folder, 'kept')
    const first = await hostOn(dataDir)
    await first.begin('Fan', undefined, 'kept')
    const keys = [first.host.masterKey, first.host.functionKey, first.host.keyOf('echo')]
    for (const file of readdirSync(dataDir))
      expect([file, statSync(join(dataDir, file)).mode & 0o777]).toEqual([file, 0o600])
    await first.host.stop()
    const second = await hostOn(dataDir)
    expect(second.output('kept')).toEqual(['hello 1', 'hello 2', 'hello 3'])
    expect([second.host.masterKey, second.host.functionKey, second.host.keyOf('echo')]).toEqual(keys)
    expect(second.logs.some(({ message }) => keys.some((key) => message.includes(key)))).toBe(false)
  })
})

describe('an app with the published packages', () => {
  /** The app's core module is the host's, its functions run, and its durable client reaches the hub. */
  const works = async (test: TestHost) => {
    hosts.push(test)
    expect(await (await test.fetch('/api/core')).json()).toEqual({ log: 'function', model: '@azure/functions' })
    const id = await (await test.fetch('/api/start')).text()
    await test.host.idle()
    expect(test.output(id)).toBe(42)
  }

  it('as ES modules is hosted', async () => {
    await works(await startTestHost({ app: 'esm' }))
  })

  it('as one CommonJS bundle beside a package.json, with nothing installed, is hosted', async () => {
    const appDir = join(folder, 'bundled')
    mkdirSync(appDir)
    writeFileSync(join(appDir, 'package.json'), '{ "main": "app.cjs" }')
    await build({
      entryPoints: [join(fixtureApp('esm'), 'app.js')],
      outfile: join(appDir, 'app.cjs'),
      bundle: true,
      platform: 'node',
      format: 'cjs',
      external: ['@azure/functions-core'],
      logLevel: 'silent',
    })
    await works(await startTestHost({ appDir }))
  })
})
