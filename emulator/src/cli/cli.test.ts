import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { JournalRecord } from '../core/index.ts'
import { TEST_CACHE_HOME } from '../core/test-context.ts'
import { shellExports } from './commands/env.ts'
import { lastDenial } from './commands/explain.ts'

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url))
const START = `import { main } from ${JSON.stringify(MAIN)}; process.exitCode = await main(process.argv.slice(1))`

const folder = mkdtempSync(join(tmpdir(), 'skerry-cli-'))
const env = {
  PATH: process.env.PATH,
  HOME: folder,
  XDG_RUNTIME_DIR: join(folder, 'run'),
  XDG_STATE_HOME: join(folder, 'state'),
  XDG_CACHE_HOME: TEST_CACHE_HOME,
}
const children: ChildProcess[] = []

/** `skerry` from source, in a process and a home of its own. */
function skerry(...args: string[]) {
  const child = spawn(
    process.execPath,
    ['--conditions=skerry-source', '--input-type=module', '-e', START, '--', ...args],
    { env },
  )
  children.push(child)
  let stdout = ''
  let stderr = ''
  const firstLine = new Promise<string>((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
      if (stdout.includes('\n')) resolve(stdout.slice(0, stdout.indexOf('\n')))
    })
    child.on('close', () => reject(new Error(`ended without a line: ${stderr}`)))
  })
  firstLine.catch(() => {})
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) =>
    child.on('close', (code) => resolve({ code, stdout, stderr })),
  )
  return { child, firstLine, ended }
}

afterAll(() => {
  for (const child of children) child.kill('SIGKILL')
  rmSync(folder, { recursive: true })
})

describe('skerry up', () => {
  const data = join(folder, 'data')
  let up: ReturnType<typeof skerry>
  let ready: Record<string, unknown>
  beforeAll(async () => {
    up = skerry('up', '--json', '--data', data)
    ready = JSON.parse(await up.firstLine) as Record<string, unknown>
  })
  afterAll(() => up.child.kill('SIGKILL'))

  it('prints one line when it is ready', () => {
    expect(Object.keys(ready)).toEqual(['proxy', 'ca', 'data', 'endpoints', 'credentials'])
    expect(ready).toMatchObject({
      proxy: expect.stringMatching(/^http:\/\/skerry:[\w-]{43}@127\.0\.0\.1:\d+$/),
      ca: join(data, 'authority', 'ca.pem'),
      data,
      endpoints: {
        vault: 'https://skerry.vault.azure.net',
        mhsm: 'https://skerry.managedhsm.azure.net',
        maa: expect.any(String),
        arm: 'https://management.azure.com',
      },
    })
    expect(Object.keys(ready.credentials as object)).toEqual(['tenantId', 'clientId', 'clientSecret', 'subscriptionId'])
  })

  it('is found by env, which prints what a shell can read', async () => {
    const { code, stdout } = await skerry('env').ended
    expect(code).toBe(0)
    for (const name of [
      'HTTPS_PROXY',
      'NO_PROXY',
      'NODE_USE_ENV_PROXY',
      'NODE_EXTRA_CA_CERTS',
      'SSL_CERT_FILE',
      'REQUESTS_CA_BUNDLE',
      'AZURE_CLIENT_SECRET',
      'UVM_SECURITY_CONTEXT_DIR',
    ]) {
      expect(stdout).toMatch(new RegExp(`^export ${name}='[^']+'$`, 'm'))
    }
    const directory = /UVM_SECURITY_CONTEXT_DIR='(.*)'/.exec(stdout)![1]!
    expect(readdirSync(directory)).toEqual(['host-amd-cert-base64', 'reference-info-base64', 'security-policy-base64'])
  })

  it('is what run brings a program to, with its device, and the program’s exit code comes back', async ({ skip }) => {
    if (process.platform !== 'linux') skip('the device below the system call needs Linux')
    const program = `
      const { existsSync, readdirSync } = require('node:fs')
      const found = [existsSync('/dev/sev-guest'), readdirSync(process.env.UVM_SECURITY_CONTEXT_DIR).length]
      fetch('https://sharedweu.weu.attest.azure.net/certs').then(({ status }) => {
        console.log(...found, status, 'AZURE_CLIENT_SECRET' in process.env)
        process.exit(7)
      })`
    const { code, stdout, stderr } = await skerry('run', '--', process.execPath, '-e', program).ended
    expect(stdout, stderr).toBe('true 3 200 false\n')
    expect(code).toBe(7)
    expect((await skerry('run', '--', 'no-such-program').ended).code).toBe(127)
  })

  it('has its data directory for itself: a second one says who has it', async () => {
    const second = await skerry('up', '--data', data).ended
    expect(second).toMatchObject({ code: 1, stdout: '' })
    expect(second.stderr).toMatch(new RegExp(`^skerry: .*in use by process ${up.child.pid}.*--data.*\\n$`))
  })

  it('can be taken over from after a kill, and ends with code 0 at SIGTERM', async () => {
    up.child.kill('SIGKILL')
    await up.ended
    const next = skerry('up', '--json', '--data', data)
    expect(JSON.parse(await next.firstLine)).toMatchObject({ credentials: ready.credentials as object })
    next.child.kill('SIGTERM')
    expect(await next.ended).toMatchObject({ code: 0, stderr: '' })
    expect(readdirSync(data)).not.toContain('lock')
    expect((await skerry('env').ended).stderr).toMatch(/no instance is running; start one with: skerry up/)
  })
})

describe('a mistake on the command line', () => {
  afterEach(() => {
    for (const child of children) child.kill('SIGKILL')
  })

  it.each([
    [['up', '--prot', '1'], /unknown option '--prot'[\s\S]*--port/],
    [['up', '--port', 'eight'], /--port.*a port is a number/],
    [['up', '--port', '70000'], /--port/],
    [['demo', '--tamper', 'weather'], /--tamper.*policy, debug, tcb/],
    [['host', '--app', '/nowhere'], /--app \/nowhere: there is no host\.json/],
    [['explain', '--journal', '/nowhere'], /--journal \/nowhere: there is no such file/],
    [['run'], /missing required argument 'command'/],
    [['fly'], /unknown command 'fly'/],
  ])('%j is answered with code 2 and the name of what is wrong', async (args, message) => {
    const { code, stderr } = await skerry(...args).ended
    expect(stderr).toMatch(message)
    expect(code).toBe(2)
  })

  it('is a port that is in use: one line names --port', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as { port: number }
    const { code, stderr } = await skerry('up', '--data', join(folder, 'other'), '--port', String(port)).ended
    server.close()
    expect(stderr).toMatch(new RegExp(`^skerry: port ${port} .*--port.*\\n$`))
    expect(code).toBe(1)
  })
})

describe('skerry explain', () => {
  const denial: JournalRecord = {
    seq: 2,
    time: '2026-01-01T00:00:00.000Z',
    service: 'keyvault',
    operation: 'release',
    outcome: 'denied',
    subject: 'https://v.vault.azure.net/keys/k/1',
    summary: 'The release policy is not met.',
    conditions: [
      { name: 'x-ms-sevsnpvm-is-debuggable', wanted: false, found: false, met: true },
      {
        name: 'x-ms-sevsnpvm-hostdata',
        wanted: 'aa',
        found: 'bb',
        met: false,
        hint: 'Deploy the policy the key was made for.',
      },
    ],
    action: 'Compare the policies.',
    answer: { status: 403, code: 'Forbidden' },
  }
  const allowed: JournalRecord = { ...denial, seq: 3, outcome: 'allowed' }

  it('shows claim, wanted, found and what to do, the unmet condition first', () => {
    const text = lastDenial([denial, allowed])
    const lines = text.split('\n').map((line) => line.trim())
    expect(lines.findIndex((line) => line.includes('hostdata'))).toBeLessThan(
      lines.findIndex((line) => line.includes('is-debuggable')),
    )
    expect(text).toMatch(/wanted +aa/)
    expect(text).toMatch(/found +bb/)
    expect(text).toContain('Deploy the policy the key was made for.')
    expect(text).toContain('What to do: Compare the policies.')
    expect(text).toContain('answered 403 Forbidden')
  })

  it('says so when nothing was refused', () => {
    expect(lastDenial([allowed])).toBe('Nothing was refused: the journal holds 1 decision.')
  })

  it('reads a journal whose last line was cut short by a kill', async () => {
    const file = join(folder, 'journal.jsonl')
    writeFileSync(file, `${JSON.stringify(denial)}\n{"seq":3,"ti`)
    const { code, stdout } = await skerry('explain', '--journal', file).ended
    expect({ code, found: stdout.includes('x-ms-sevsnpvm-hostdata') }).toEqual({ code: 0, found: true })
  })

  it('refuses a file that is no journal', async () => {
    const file = join(folder, 'not-a-journal')
    writeFileSync(file, 'hello\nworld\n')
    expect(await skerry('explain', '--journal', file).ended).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('line 1 is not a journal record'),
    })
  })
})

describe('the exports of skerry env', () => {
  it('quote what a shell would otherwise read', () => {
    expect(shellExports({ A: "it's $HOME" })).toBe("export A='it'\\''s $HOME'\n")
  })
})
