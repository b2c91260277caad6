import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { HostError, messageOf } from './errors.ts'

/** What this host uses of `host.json` (docs: "host.json reference for Azure Functions 2.x and later"). */
export interface HostSettings {
  /** Before every route; `api` unless the file says otherwise, may be empty. */
  readonly routePrefix: string
  readonly hubName: string
  readonly connectionName: string
  readonly maxConcurrentActivityFunctions: number
  readonly maxConcurrentOrchestratorFunctions: number
  readonly maxConcurrentEntityFunctions: number
  readonly maxEntityOperationBatchSize: number
  readonly storeInputsInOrchestrationHistory: boolean
  readonly localRpcEndpointEnabled: boolean
  /** `AnyState` lets a start replace an instance that still runs. */
  readonly overridableExistingInstanceStates: 'NonRunningStates' | 'AnyState'
  /** How long callHttp waits before it asks again, in milliseconds. */
  readonly httpSleepMs: number
  readonly defaultVersion: string
}

type Json = Record<string, unknown>

export function readHostSettings(appDir: string, siteName?: string): HostSettings {
  const file = join(appDir, 'host.json')
  let root: Json = {}
  if (existsSync(file)) {
    try {
      root = JSON.parse(readFileSync(file, 'utf8')) as Json
    } catch (error) {
      throw new HostError('ERR_HOST_CONFIG', `${file} is not JSON: ${messageOf(error)}`)
    }
    if (root.version !== '2.0') throw new HostError('ERR_HOST_CONFIG', `${file}: "version" must be "2.0"`)
  }
  const extensions = objectAt(root, 'extensions')
  const http = objectAt(extensions, 'http')
  const durable = objectAt(extensions, 'durableTask')
  const storage = objectAt(durable, 'storageProvider')
  const hubName = text(durable.hubName) ?? (siteName?.replace(/[^A-Za-z0-9]/g, '') || 'TestHubName')
  if (!/^[A-Za-z][A-Za-z0-9]{2,49}$/.test(hubName)) {
    throw new HostError(
      'ERR_HOST_CONFIG',
      `${file}: extensions.durableTask.hubName ${JSON.stringify(hubName)} must be 3 to 50 letters and digits, a letter first`,
    )
  }
  const positive = (name: string, fallback: number): number => {
    const value = durable[name] ?? fallback
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 1) {
      throw new HostError('ERR_HOST_CONFIG', `${file}: extensions.durableTask.${name} must be a positive whole number`)
    }
    return value
  }
  return {
    routePrefix: (text(http.routePrefix) ?? 'api').replace(/^\/+|\/+$/g, ''),
    hubName,
    connectionName: text(storage.connectionName) ?? text(storage.connectionStringName) ?? 'Storage',
    maxConcurrentActivityFunctions: positive('maxConcurrentActivityFunctions', 10),
    maxConcurrentOrchestratorFunctions: positive('maxConcurrentOrchestratorFunctions', 10),
    maxConcurrentEntityFunctions: positive('maxConcurrentEntityFunctions', 10),
    maxEntityOperationBatchSize: positive('maxEntityOperationBatchSize', 5000),
    storeInputsInOrchestrationHistory: durable.storeInputsInOrchestrationHistory === true,
    localRpcEndpointEnabled: durable.localRpcEndpointEnabled !== false,
    overridableExistingInstanceStates:
      durable.overridableExistingInstanceStates === 'AnyState' ? 'AnyState' : 'NonRunningStates',
    httpSleepMs: numberAt(objectAt(durable, 'httpSettings'), 'defaultAsyncRequestSleepTimeMilliseconds') ?? 30_000,
    defaultVersion: text(durable.defaultVersion) ?? '',
  }
}

function objectAt(parent: Json, name: string): Json {
  const value = parent[name]
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {}
}

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

function numberAt(parent: Json, name: string): number | undefined {
  const value = parent[name]
  return typeof value === 'number' ? value : undefined
}
