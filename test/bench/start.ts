import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { type ClientRequest, type IncomingMessage, type RequestOptions, request } from 'node:http'
import { get } from 'node:https'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const SKERRY = fileURLToPath(new URL('../../emulator/bin/skerry.mjs', import.meta.url))
const HOST = 'sharedweu.weu.attest.azure.net'
/** As it was before a bench in this process pointed itself at an emulator. */
const ENVIRONMENT = { ...process.env }

/** From starting `skerry up` as a process, in milliseconds. */
export interface Start {
  /** To the first answer, over HTTPS. */
  readonly answered: number
  /** To the certificates of the processor, for which all of its keys must be there. */
  readonly certified: number
}

export interface Starts {
  /** Nothing cached: no keys, no compiled code, a new data directory. */
  readonly cold: readonly Start[]
  /** The machine's keys are cached; the data directory is new. */
  readonly warm: readonly Start[]
  /** The same command once more: the data directory is there, too. */
  readonly again: readonly Start[]
}

export async function measureStarts(count: number): Promise<Starts> {
  const times = { cold: [] as Start[], warm: [] as Start[], again: [] as Start[] }
  for (let round = 0; round < count; round += 1) {
    const folder = mkdtempSync(join(tmpdir(), 'skerry-bench-'))
    try {
      const data = (name: string) => join(folder, name)
      times.cold.push(await start(folder, data('first')))
      times.warm.push(await start(folder, data('second')))
      times.again.push(await start(folder, data('second')))
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
  return times
}

async function start(folder: string, data: string): Promise<Start> {
  const begun = performance.now()
  const child = spawn(process.execPath, [SKERRY, 'up', '--json', '--data', data], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...ENVIRONMENT, XDG_CACHE_HOME: folder, NODE_COMPILE_CACHE: join(folder, 'compiled') },
  })
  const ended = once(child, 'exit')
  try {
    const line = await Promise.race([once(createInterface({ input: child.stdout }), 'line'), ended])
    const { proxy, ca } = JSON.parse(String(line[0])) as { proxy: string; ca: string }
    const instance = proxyOf(proxy)
    await askSecurely(instance, readFileSync(ca, 'utf8'))
    const answered = performance.now() - begun
    await askForCertificates(instance)
    return { answered, certified: performance.now() - begun }
  } finally {
    child.kill('SIGTERM')
    await ended
  }
}

interface Proxy {
  readonly hostname: string
  readonly port: string
  readonly headers: Readonly<Record<string, string>>
}

function proxyOf(url: string): Proxy {
  const { hostname, port, username, password } = new URL(url)
  const credential = Buffer.from(`${username}:${password}`).toString('base64')
  return { hostname, port, headers: { 'proxy-authorization': `Basic ${credential}` } }
}

/** On a connection of its own. */
async function askSecurely(proxy: Proxy, ca: string): Promise<void> {
  const connecting = request({ ...proxy, method: 'CONNECT', path: `${HOST}:443` }).end()
  const [, socket] = (await once(connecting, 'connect')) as [unknown, Socket]
  const path = '/.well-known/openid-configuration'
  await requireAnswer(get({ host: HOST, path, agent: false, ca, socket } as RequestOptions))
}

/** As Go's clients ask through a proxy: with the whole URL. */
async function askForCertificates({ headers, ...proxy }: Proxy): Promise<void> {
  const path = 'http://169.254.169.254/metadata/THIM/amd/certification'
  await requireAnswer(request({ ...proxy, path, headers: { ...headers, metadata: 'true' } }).end())
}

async function requireAnswer(asking: ClientRequest): Promise<void> {
  const [response] = (await once(asking, 'response')) as [IncomingMessage]
  response.resume()
  await once(response, 'end')
  if (response.statusCode !== 200) throw new Error(`${asking.path} was answered with ${response.statusCode}`)
}
