import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { ClientSecretCredential } from '@azure/identity'
import type { JournalRecord } from '../../emulator/src/core/index.ts'
import { type Answer, APP_SETTINGS, NOTHING_RUNS, request, type View } from './app-world.ts'
import { type Command, ROOT, skerry } from './skerry.ts'
import { until } from './until.ts'

/** `skerry up` and `skerry host` as processes of their own, as a person would start them in two shells. */

export interface Up {
  readonly command: Command
  /** The line of `--json`. */
  readonly info: UpLine
  readonly journal: () => JournalRecord[]
  /** The environment of a client, by way of this proxy URL. */
  environment(proxyUrl: string): NodeJS.ProcessEnv
  /** Options that lead a client of the Azure SDK through the proxy. */
  readonly sdkOptions: SdkOptions
  readonly credential: ClientSecretCredential
}

interface UpLine {
  readonly proxy: string
  readonly ca: string
  readonly data: string
  readonly credentials: Record<'tenantId' | 'clientId' | 'clientSecret' | 'subscriptionId', string>
}

interface SdkOptions {
  readonly proxyOptions: { host: string; port: number; username: string; password: string }
}

/**
 * @param runtime a folder of this test's own: its instances are not those of the person at the keyboard
 * @param flags further ones of `skerry up`
 */
export async function startUp(data: string, runtime: string, flags: readonly string[] = []): Promise<Up> {
  const command = skerry(['up', '--json', '--data', data, ...flags], { ...process.env, XDG_RUNTIME_DIR: runtime })
  const info = JSON.parse(await command.line(/^\{/)) as UpLine
  const { tenantId, clientId, clientSecret, subscriptionId } = info.credentials
  const { port, username, password } = new URL(info.proxy)
  const sdkOptions: SdkOptions = {
    proxyOptions: { host: 'http://127.0.0.1', port: Number(port), username, password },
  }
  // The SDK takes no certificates of its own together with a proxy: this process trusts the emulator's authority.
  setDefaultCACertificates([...getCACertificates('default'), readFileSync(info.ca, 'utf8')])
  return {
    command,
    info,
    sdkOptions,
    credential: new ClientSecretCredential(tenantId, clientId, clientSecret, sdkOptions),
    journal: () => journalOf(join(data, 'journal.jsonl')),
    environment: (proxyUrl) => ({
      PATH: process.env.PATH,
      // No instance is found there: what the process reaches is what is said here.
      XDG_RUNTIME_DIR: join(runtime, 'none'),
      HTTPS_PROXY: proxyUrl,
      HTTP_PROXY: proxyUrl,
      NO_PROXY: 'localhost,127.0.0.1',
      NODE_USE_ENV_PROXY: '1',
      NODE_EXTRA_CA_CERTS: info.ca,
      AZURE_TENANT_ID: tenantId,
      AZURE_CLIENT_ID: clientId,
      AZURE_CLIENT_SECRET: clientSecret,
      AZURE_SUBSCRIPTION_ID: subscriptionId,
      ...APP_SETTINGS,
    }),
  }
}

export interface HostProcess {
  readonly command: Command
  readonly url: string
  readonly masterKey: string
  readonly functionKey: string
  call(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<Answer>
  /** Polls a deployment until no operation runs on it. */
  ended(name: string): Promise<View>
  /** SIGKILL, and the end of the process. */
  kill(): Promise<void>
}

/** The app of this repository, on a store that outlives the process. */
export async function startHost(store: string, env: NodeJS.ProcessEnv): Promise<HostProcess> {
  const command = skerry(['host', '--app', ROOT, '--port', '0', '--store', store, '--json'], env)
  const line = JSON.parse(await command.line(/^\{/)) as { url: string; masterKey: string; functionKey: string }
  const { url, masterKey, functionKey } = line
  const call: HostProcess['call'] = (method, path, body) => request(new URL(path, url), functionKey, method, body)
  return {
    command,
    url,
    masterKey,
    functionKey,
    call,
    ended: (name) =>
      until(async () => {
        const { body } = await call('GET', `/api/deployments/${name}`)
        return NOTHING_RUNS.includes(body.phase as string) ? (body as unknown as View) : undefined
      }, 60_000),
    async kill() {
      command.child.kill('SIGKILL')
      await command.ended
    },
  }
}

export function journalOf(file: string): JournalRecord[] {
  const text = readFileSync(file, 'utf8')
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as JournalRecord)
}
