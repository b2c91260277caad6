/** Runs in the app's worker thread: prepares it as Azure's Node worker would, loads the app, then serves invocations. */
import http from 'node:http'
import tls from 'node:tls'
import { parentPort, workerData } from 'node:worker_threads'
import { HostError, messageOf } from '../errors.ts'
import { createCoreModule } from './core-module.ts'
import { durableHttp } from './durable-http.ts'
import { hookContext } from './hooks.ts'
import { failureOf, invoke } from './invoke.ts'
import { entryFiles, loadEntry } from './load-app.ts'
import type { AppThreadData, FromApp, ToApp } from './messages.ts'
import { provideCore } from './provide-core.ts'

const DEFAULT_CAPABILITIES = [
  'RawHttpBodyBytes',
  'RpcHttpTriggerMetadataRemoved',
  'RpcHttpBodyOnly',
  'IgnoreEmptyValuedRpcHttpHeaders',
  'UseNullableValueDictionaryForHttp',
  'WorkerStatus',
  'TypedDataCollection',
  'HandlesWorkerTerminateMessage',
]

if (parentPort === null) throw new Error('the app thread is started by the Functions host, not by hand')
const port = parentPort
const data = workerData as AppThreadData
const post = (message: FromApp) => port.postMessage(message)

const { core, registrations } = createCoreModule({
  version: data.hostVersion,
  hostVersion: data.hostVersion,
  log: (level, category, message) => post({ kind: 'log', entry: { level, category, message } }),
})

function trustAndProxy(): void {
  if (data.caPem !== undefined) tls.setDefaultCACertificates([...tls.getCACertificates('default'), data.caPem])
  // The environment is this thread's own copy, set after Node read the process's: say it again for this thread's agents.
  if (process.env.NODE_USE_ENV_PROXY === '1') http.setGlobalProxyFromEnv(process.env as Record<string, string>)
}

async function start(): Promise<void> {
  trustAndProxy()
  provideCore(core)
  for (const file of entryFiles(data.appDir)) await loadEntry(file, data.appDir)
  if (registrations.model === undefined || registrations.functions.size === 0) {
    throw new HostError(
      'ERR_HOST_APP_TEST_MODE',
      registrations.model === undefined
        ? 'the app loaded but registered nothing: its @azure/functions did not reach the host (test mode), or it registers no function'
        : 'the app loaded but registered no function',
    )
  }
  const { hooks } = registrations
  await hooks.run(
    'appStart',
    hookContext({ hookData: {}, appHookData: hooks.appHookData }, { functionAppDirectory: data.appDir }),
  )
  const defaults = Object.fromEntries(DEFAULT_CAPABILITIES.map((name) => [name, 'true']))
  const capabilities = (await registrations.model.getCapabilities?.(defaults)) ?? defaults
  registrations.closed = true
  post({
    kind: 'ready',
    // Through JSON: metadata is data, and what an app put there beside data must not stop it from crossing.
    functions: JSON.parse(JSON.stringify([...registrations.functions.values()].map(({ metadata }) => metadata))),
    model: { name: registrations.model.name, version: registrations.model.version },
    capabilities: { ...capabilities },
  })
}

async function terminate(): Promise<void> {
  const { hooks } = registrations
  try {
    await hooks.run(
      'appTerminate',
      hookContext({ hookData: {}, appHookData: hooks.appHookData }, { functionAppDirectory: data.appDir }),
    )
  } catch (error) {
    post({
      kind: 'log',
      entry: { level: 'error', category: 'system', message: `an appTerminate hook failed: ${messageOf(error)}` },
    })
  }
  post({ kind: 'terminated' })
}

async function answer(message: ToApp): Promise<void> {
  if (message.kind === 'terminate') return await terminate()
  if (message.kind === 'http') {
    try {
      post({ kind: 'httpResponse', id: message.id, response: await durableHttp(message.request) })
    } catch (error) {
      post({ kind: 'failure', id: message.id, failure: failureOf(error) })
    }
    return
  }
  const id = message.request.invocationId
  try {
    const response = await invoke(registrations, message.request, (level, category, text, origin) =>
      post({ kind: 'log', entry: { level, category, message: text, ...origin } }),
    )
    post({ kind: 'response', id, response })
  } catch (error) {
    post({ kind: 'failure', id, failure: failureOf(error) })
  }
}

try {
  await start()
  port.on('message', (message: ToApp) => void answer(message))
} catch (error) {
  const code = error instanceof HostError ? error.code : 'ERR_HOST_APP_LOAD'
  post({
    kind: 'loadFailed',
    code: code === 'ERR_HOST_APP_NOT_FOUND' || code === 'ERR_HOST_APP_TEST_MODE' ? code : 'ERR_HOST_APP_LOAD',
    message: messageOf(error),
  })
}
