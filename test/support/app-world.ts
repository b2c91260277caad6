import { ClientSecretCredential } from '@azure/identity'
import { KeyClient } from '@azure/keyvault-keys'
import { TEST_CACHE_DIRECTORY } from '../../emulator/src/core/test-context.ts'
import {
  createEmulator,
  type Emulator,
  type FunctionsHost,
  type MovableClock,
  type SeedResources,
  seedResources,
  startFunctionsHost,
  systemClock,
} from '../../emulator/src/index.ts'
import { sdkHttpClient } from './sdk-http-client.ts'
import { ROOT } from './skerry.ts'
import { until } from './until.ts'

/** An emulator in this process and the app on the embedded host, as `npm start` puts them together. */
export interface AppWorld extends AsyncDisposable {
  readonly emulator: Emulator
  readonly host: FunctionsHost
  /** The host's own clock: moving it leaves the emulator, its containers and their tokens in real time. */
  readonly clock: MovableClock
  /** Calls the app with the function key. */
  call(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<Answer>
  /** All that the app answered to `call`, headers and bodies. */
  readonly said: readonly string[]
  /** Polls the deployment until no operation runs on it. */
  ended(name: string): Promise<View>
  /** Sends a body to `POST /api/deployments` and sees it through. */
  deploy(body: { readonly name: string }): Promise<View>
  /** The official client, as the seeded administrator. */
  keys(vaultHost: string): KeyClient
  /** Asks Resource Manager as the seeded administrator; undefined for 404. */
  arm(path: string): Promise<Record<string, unknown> | undefined>
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly body: Record<string, unknown>
}

/** The members of `GET /api/deployments/{name}` that tests read. */
export interface View {
  readonly name: string
  readonly phase: string
  readonly steps: readonly { name: string; outcome: string; detail?: string }[]
  readonly key?: { id: string; name: string; version: string }
  readonly hostData?: string
  readonly group?: { id: string; state: string }
  readonly identity?: { id: string }
  readonly role?: { name: string; scope: string }
  readonly proof?: { keyVersion: string; plaintextSha256: string }
  readonly rotations?: readonly unknown[]
  readonly failure?: { step: string; code: string; reason: string }
  readonly remains?: readonly string[]
}

/** Impatient: nothing here takes the minutes that it takes on Azure. */
export const APP_SETTINGS = {
  POLL_SECONDS: '0.1',
  RETRY_SECONDS: '0.1',
  RUNNING_TIMEOUT_SECONDS: '40',
  PROOF_TIMEOUT_SECONDS: '30',
  PROOF_REFUSALS: '2',
  ROTATION_SCHEDULE: '0 0 3 1 1 *',
  ROTATION_AGE_DAYS: '0',
} as const

export const NOTHING_RUNS = ['Running', 'Failed', 'Deleted']

export async function startAppWorld(
  resources: SeedResources,
  settings: Readonly<Record<string, string>> = {},
): Promise<AppWorld> {
  const emulator = await createEmulator({ cacheDir: TEST_CACHE_DIRECTORY })
  seedResources(emulator.context, {
    attestationProviders: [{ host: 'sharedweu.weu.attest.azure.net' }],
    ...resources,
  })
  const wire = await emulator.listen()
  const clock = systemClock()
  const host = await startFunctionsHost({
    appDir: ROOT,
    env: { ...wire.environment, ...APP_SETTINGS, ...settings },
    caPem: wire.caPem,
    clock,
  })
  const httpClient = sdkHttpClient((request) => emulator.dispatcher.dispatch(request, { door: 'process' }))
  const { tenantId, admin } = emulator.context.seed
  const credential = new ClientSecretCredential(tenantId, admin.clientId, admin.clientSecret, { httpClient })
  const said: string[] = []
  const call = async (method: string, path: string, body?: unknown) => {
    const answer = await request(new URL(path, host.url), host.functionKey, method, body)
    said.push(JSON.stringify([...answer.headers]), answer.text)
    return answer
  }
  const ended = (name: string) =>
    until(async () => {
      const { body } = await call('GET', `/api/deployments/${name}`)
      return NOTHING_RUNS.includes(body.phase as string) ? (body as unknown as View) : undefined
    }, 60_000)
  return {
    emulator,
    host,
    clock,
    call,
    said,
    ended,
    async deploy(body) {
      const { status, text } = await call('POST', '/api/deployments', body)
      if (status !== 202) throw new Error(`${status}: ${text}`)
      return await ended(body.name)
    },
    keys: (vaultHost) => new KeyClient(`https://${vaultHost}`, credential, { httpClient }),
    async arm(path) {
      const token = await credential.getToken('https://management.azure.com/.default')
      const url = `https://management.azure.com${path}${path.includes('?') ? '&' : '?'}api-version=2023-05-01`
      const answer = await emulator.dispatcher.dispatch(
        new Request(url, { headers: { authorization: `Bearer ${token.token}` } }),
        { door: 'process' },
      )
      if (answer.status === 404) return undefined
      if (!answer.ok) throw new Error(`${answer.status}: ${await answer.text()}`)
      return (await answer.json()) as Record<string, unknown>
    },
    async [Symbol.asyncDispose]() {
      await host.stop()
      await emulator.close()
    },
  }
}

/** One request with a function key; a body that is not text is sent as JSON. */
export async function request(url: URL, key: string, method: string, body?: unknown): Promise<Answer> {
  const response = await fetch(url, {
    method,
    headers: { 'x-functions-key': key, ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  })
  const text = await response.text()
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    parsed = undefined
  }
  const { status, headers } = response
  return { status, headers, text, body: (parsed ?? {}) as Record<string, unknown> }
}
