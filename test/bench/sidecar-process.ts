import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const at = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))
const SKERRY = at('emulator/bin/skerry.mjs')
const GUEST = at('guest/bin/skerry-guest.mjs')
/** As it was before a bench in this process pointed itself at an emulator. */
const ENVIRONMENT = { ...process.env, LogLevel: 'error' }
const POLICY = 'package policy\n'

export const MAA = 'sharedweu.weu.attest.azure.net'
export const VAULT = 'bench.vault.azure.net'
export const KEY = 'bench-key'

/** A sidecar in a process of its own. */
export interface SidecarProcess extends AsyncDisposable {
  readonly pid: number
  /** From starting it to its first answer, milliseconds. */
  readonly answered: number
  /** Posts JSON. @throws for an answer that is no success */
  post(path: string, body: object): Promise<string>
}

/** One with a vault on the other end of its wires. */
export interface SidecarWithVault extends SidecarProcess {
  /** The processes of the emulator: `skerry up`, and `skerry run` with the device. */
  readonly emulator: readonly number[]
}

/** What is started: this program's sidecar, or as little as Node can serve. */
export type What = 'http' | 'grpc' | 'bare'

/** Alone on this machine: nothing but `/status` answers. */
export async function startAlone(what: What): Promise<SidecarProcess> {
  const port = await freePort()
  const bare = `require('node:http').createServer((q,s)=>s.end('x')).listen(${port},'127.0.0.1')`
  const args = what === 'bare' ? ['-e', bare] : [GUEST, 'sidecar', '-port', String(port), '-server_type', what]
  const begun = performance.now()
  const child = spawn(process.execPath, args, { stdio: 'ignore', env: ENVIRONMENT })
  return await client(child, child.pid!, port, begun, what !== 'grpc')
}

/** Below `skerry run`, with a vault whose key is released to it. */
export async function startBelowRun(): Promise<SidecarWithVault> {
  await using cleanup = new AsyncDisposableStack()
  const folder = mkdtempSync(join(tmpdir(), 'skerry-bench-'))
  cleanup.defer(() => rmSync(folder, { recursive: true, force: true }))
  const [data, policy, seed] = ['data', 'policy.rego', 'seed.json'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ]
  writeFileSync(policy, POLICY)
  writeFileSync(seed, JSON.stringify(seedDocument()))
  const env = { ...ENVIRONMENT, XDG_RUNTIME_DIR: folder }
  const up = spawn(process.execPath, [SKERRY, 'up', '--json', '--data', data, '--seed', seed], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env,
  })
  cleanup.defer(() => ended(up))
  await firstLine(up)
  const port = await freePort()
  const program = [process.execPath, GUEST, 'sidecar', '-port', String(port)]
  const begun = performance.now()
  const run = spawn(
    process.execPath,
    [SKERRY, 'run', '--data', data, '--policy', policy, '--no-network', '--', ...program],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env,
    },
  )
  cleanup.defer(() => ended(run))
  const below = cleanup.use(await client(run, run.pid!, port, begun, true))
  const sidecar = { ...below, pid: processOf(program), emulator: [up.pid!, run.pid!] }
  const open = cleanup.move()
  return { ...sidecar, [Symbol.asyncDispose]: () => open.disposeAsync() }
}

function seedDocument(): object {
  const equals = createHash('sha256').update(POLICY).digest('hex')
  const allOf = [{ claim: 'x-ms-sevsnpvm-hostdata', equals }]
  const releasePolicy = { version: '1.0.0', anyOf: [{ authority: `https://${MAA}`, allOf }] }
  return {
    managedIdentities: [{ name: 'bench', resourceGroup: 'bench' }],
    vaults: [{ name: 'bench', resourceGroup: 'bench' }],
    roleAssignments: [{ principal: 'bench', role: 'Key Vault Crypto Service Release User', scope: 'vaults/bench' }],
    keys: [{ name: KEY, vault: 'bench', kty: 'RSA-HSM', keySize: 2048, exportable: true, releasePolicy }],
  }
}

async function client(
  child: ChildProcess,
  pid: number,
  port: number,
  begun: number,
  speaksHttp: boolean,
): Promise<SidecarProcess> {
  const agent = new Agent({ keepAlive: true, maxSockets: 128 })
  const ask = (path: string, body?: string) => send(agent, port, path, body)
  // gRPC answers nothing in HTTP/1.1: that it closes the connection is an answer.
  while (
    !(await ask('/status').then(
      () => true,
      ({ code }) => !speaksHttp && code !== 'ECONNREFUSED',
    ))
  ) {
    if (child.exitCode !== null) throw new Error(`the sidecar ended with ${child.exitCode}`)
    await new Promise((done) => setTimeout(done, 2))
  }
  return {
    pid,
    answered: performance.now() - begun,
    post: (path, body) => ask(path, JSON.stringify(body)),
    async [Symbol.asyncDispose]() {
      agent.destroy()
      await ended(child)
    },
  }
}

function send(agent: Agent, port: number, path: string, body?: string): Promise<string> {
  return new Promise((done, fail) => {
    const sent = request({ agent, host: '127.0.0.1', port, path, method: body === undefined ? 'GET' : 'POST' })
    sent.on('error', fail).on('response', (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', fail)
      answer.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        if (answer.statusCode === 200) done(text)
        else fail(new Error(`${path}: ${answer.statusCode} ${text}`))
      })
    })
    sent.end(body)
  })
}

/** A program below `skerry run` has a number of its own there; here it is found by its command line. */
function processOf(program: readonly string[]): number {
  const wanted = `${program.join('\0')}\0`
  const found = readdirSync('/proc').find((name) => /^\d+$/.test(name) && commandLine(name) === wanted)
  if (found === undefined) throw new Error('the sidecar is not among the processes')
  return Number(found)
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  await exit
}

async function firstLine(child: ChildProcess): Promise<string> {
  const line = once(createInterface({ input: child.stdout! }), 'line')
  const exit = once(child, 'exit').then(([code]) => Promise.reject(new Error(`ended with ${code}`)))
  return String((await Promise.race([line, exit]))[0])
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as import('node:net').AddressInfo
  await new Promise((done) => server.close(done))
  return port
}
