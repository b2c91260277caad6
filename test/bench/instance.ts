import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type Connection, connect, type Place, type Question } from './connection.ts'

/** A process that serves an emulator, and what a client of its vault needs. */
export interface Instance extends AsyncDisposable {
  readonly pid: number
  /** Its vault, reached directly. */
  readonly direct: Place
  /** The same through the proxy. */
  readonly proxied: Place
  /** With an access token of the administrator. */
  readonly headers: Readonly<Record<string, string>>
  /** What the process said of itself when it was ready. */
  readonly line: Readonly<Record<string, unknown>>
}

interface Line {
  readonly proxy: string
  readonly ca: string
  readonly endpoints: { readonly vault: string }
  readonly credentials: { readonly tenantId: string; readonly clientId: string; readonly clientSecret: string }
}

const SKERRY = fileURLToPath(new URL('../../emulator/bin/skerry.mjs', import.meta.url))
export const API = 'api-version=7.6'

/** As it was before a bench in this process pointed itself at an emulator. */
const ENVIRONMENT = { ...process.env }

/** `skerry up`, or another script that says the same line; in memory, or with a data directory of its own. */
export async function startInstance({ script = SKERRY, onDisk = false } = {}): Promise<Instance> {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-bench-'))
  const data = onDisk ? ['--data', join(folder, 'data')] : []
  const child = spawn(process.execPath, [script, 'up', '--json', ...data], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: ENVIRONMENT,
  })
  const ended = once(child, 'exit')
  const stop = async () => {
    child.kill('SIGTERM')
    await ended
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    const [text] = await Promise.race([once(createInterface({ input: child.stdout }), 'line'), ended])
    const line = JSON.parse(String(text)) as Line
    const { port, username, password } = new URL(line.proxy)
    const direct = {
      port: Number(port),
      host: new URL(line.endpoints.vault).hostname,
      ca: readFileSync(line.ca, 'utf8'),
    }
    const proxyAuthorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
    const headers = {
      Authorization: `Bearer ${await tokenOf({ ...direct, host: 'login.microsoftonline.com' }, line.credentials)}`,
      'Content-Type': 'application/json',
    }
    return {
      pid: child.pid!,
      direct,
      proxied: { ...direct, proxyAuthorization },
      headers,
      line: { ...line },
      [Symbol.asyncDispose]: stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

async function tokenOf(entra: Place, { tenantId, clientId, clientSecret }: Line['credentials']): Promise<string> {
  using connection = await connect(entra)
  const form = { grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret }
  const answer = await askJson<{ access_token: string }>(connection, {
    method: 'POST',
    path: `/${tenantId}/oauth2/v2.0/token`,
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ ...form, scope: 'https://vault.azure.net/.default' }).toString(),
  })
  return answer.access_token
}

/** The JSON of an answer with 200. */
export async function askJson<T>(connection: Connection, question: Question): Promise<T> {
  const { status, text } = await connection.ask(question)
  if (status === 200) return JSON.parse(text) as T
  throw new Error(`${question.method} ${question.path} was answered with ${status}: ${text}`)
}

export const createKey = (connection: Connection, { headers }: Pick<Instance, 'headers'>, name: string, key: object) =>
  askJson(connection, { method: 'POST', path: `/keys/${name}/create?${API}`, headers, body: JSON.stringify(key) })
