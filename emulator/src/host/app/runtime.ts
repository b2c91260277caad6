import type { Random } from '../../core/index.ts'
import { HostError, messageOf } from '../errors.ts'
import type { HostLog } from '../log.ts'
import { type AppThread, type AppThreadOptions, startAppThread } from './app-thread.ts'
import type { DurableHttpAnswer, DurableHttpCall } from './messages.ts'
import {
  bindingOfType,
  type FunctionMetadata,
  type InvocationRequest,
  type InvocationResponse,
  type RpcParameterBinding,
  type RpcTypedData,
} from './rpc.ts'

/** The loaded app: its functions by name, invoked with their inputs filled in. */
export interface AppRuntime {
  readonly functions: readonly FunctionMetadata[]
  /** Names compare without case, as the Durable extension compares them. */
  find(name: string, triggerType?: string): FunctionMetadata | undefined
  invoke(call: FunctionCall): Promise<InvocationResponse>
  http(call: DurableHttpCall): Promise<DurableHttpAnswer>
  /** false: its thread ended and could not be started again. */
  readonly available: boolean
  /** How many invocations run now. */
  readonly running: number
  stop(): Promise<void>
}

export interface FunctionCall {
  readonly metadata: FunctionMetadata
  readonly triggerType: string
  readonly data: RpcTypedData
  readonly triggerMetadata?: Record<string, RpcTypedData>
  readonly retryContext?: InvocationRequest['retryContext']
  readonly traceParent?: string
}

export interface AppRuntimeOptions extends Omit<AppThreadOptions, 'onExit'> {
  readonly random: Random
  /** The JSON of the durableClient input binding. */
  readonly durableClient: () => string
  readonly onSettled: () => void
}

const CLIENT_BINDINGS = ['durableClient', 'orchestrationClient']
const TRIGGERS = [
  'httpTrigger',
  'timerTrigger',
  'orchestrationTrigger',
  'activityTrigger',
  'entityTrigger',
  'warmupTrigger',
]

export async function startAppRuntime(options: AppRuntimeOptions): Promise<AppRuntime> {
  const { log } = options
  let stopped = false
  let available = true
  let running = 0

  // A thread that dies takes its invocations with it; a fresh one takes its place, as on Azure.
  const start = (): Promise<AppThread> =>
    startAppThread({
      ...options,
      onExit: (reason) => {
        log({ level: 'error', category: 'host', message: `${reason.message}; the app is started again` })
        if (stopped) return
        thread = start()
        thread.then(options.onSettled, (error) => {
          available = false
          log({
            level: 'critical',
            category: 'host',
            message: `the app could not be started again: ${messageOf(error)}`,
          })
        })
      },
    })
  let thread = start()
  const { functions, capabilities } = await thread
  try {
    checkFunctions(functions, log)
    if (capabilities.HttpUri) {
      throw new HostError(
        'ERR_HOST_NOT_COVERED',
        'app.setup({ enableHttpStream: true }) is not covered by this host: HTTP bodies are not streamed',
      )
    }
  } catch (error) {
    stopped = true
    await (await thread).kill()
    throw error
  }
  const byName = new Map(functions.map((metadata) => [metadata.name.toLowerCase(), metadata]))

  const tracked = async <T>(act: (thread: AppThread) => Promise<T>): Promise<T> => {
    running += 1
    try {
      return await act(
        await thread.catch((error) => {
          throw new HostError('ERR_HOST_APP_EXITED', `the app is not running: ${messageOf(error)}`)
        }),
      )
    } finally {
      running -= 1
      options.onSettled()
    }
  }

  return {
    functions,
    find(name, triggerType) {
      const metadata = byName.get(name.toLowerCase())
      if (metadata === undefined || triggerType === undefined) return metadata
      return bindingOfType(metadata, triggerType) === undefined ? undefined : metadata
    },
    invoke: (call) => tracked((app) => app.invoke(requestFor(call, options))),
    http: (call) => tracked((app) => app.http(call)),
    get available() {
      return available
    },
    get running() {
      return running
    },
    async stop() {
      stopped = true
      await thread.then(
        (app) => app.stop(),
        () => {},
      )
    },
  }
}

function requestFor(call: FunctionCall, options: AppRuntimeOptions): InvocationRequest {
  const inputData: RpcParameterBinding[] = []
  for (const [key, binding] of Object.entries(call.metadata.bindings)) {
    if (binding.type.toLowerCase() === call.triggerType.toLowerCase()) inputData.unshift({ name: key, data: call.data })
    else if (CLIENT_BINDINGS.includes(binding.type))
      inputData.push({ name: key, data: { string: options.durableClient() } })
    else if (binding.direction !== 'out') {
      throw new HostError(
        'ERR_HOST_NOT_COVERED',
        `function "${call.metadata.name}": input bindings of type "${binding.type}" are not covered by this host`,
      )
    }
  }
  const traceId = options.random.bytes(16).toString('hex')
  const spanId = options.random.bytes(8).toString('hex')
  return {
    invocationId: options.random.uuid(),
    functionId: call.metadata.name,
    inputData,
    triggerMetadata: call.triggerMetadata ?? {},
    traceContext: { traceParent: call.traceParent ?? `00-${traceId}-${spanId}-00`, traceState: '', attributes: {} },
    ...(call.retryContext === undefined ? {} : { retryContext: call.retryContext }),
  }
}

/** What Azure's host refuses at start-up, and what this one does not cover. */
function checkFunctions(functions: readonly FunctionMetadata[], log: HostLog): void {
  const seen = new Set<string>()
  for (const { name, bindings } of functions) {
    if (!/^[A-Za-z][\w-]{0,127}$/.test(name) || name.toLowerCase() === 'host') {
      throw new HostError(
        'ERR_HOST_APP_INVALID',
        `function name ${JSON.stringify(name)}: a letter, then up to 127 letters, digits, "_" or "-", and not "host"`,
      )
    }
    if (seen.has(name.toLowerCase())) throw new HostError('ERR_HOST_APP_INVALID', `two functions are called "${name}"`)
    seen.add(name.toLowerCase())
    for (const { type, direction } of Object.values(bindings)) {
      const covered = TRIGGERS.includes(type) || CLIENT_BINDINGS.includes(type) || type === 'http'
      if (covered) continue
      const what = type.endsWith('Trigger')
        ? 'it never fires'
        : direction === 'out'
          ? 'what it writes is dropped'
          : 'its invocations fail'
      log({
        level: 'warning',
        category: 'host',
        message: `function "${name}": bindings of type "${type}" are not covered by this host: ${what}`,
      })
    }
  }
}
