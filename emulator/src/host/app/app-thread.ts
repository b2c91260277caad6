import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { Worker } from 'node:worker_threads'
import { HostError, messageOf } from '../errors.ts'
import type { HostLog } from '../log.ts'
import { within } from '../within.ts'
import type {
  AppThreadData,
  DurableHttpAnswer,
  DurableHttpCall,
  FromApp,
  InvocationFailure,
  ToApp,
} from './messages.ts'
import type { FunctionMetadata, InvocationRequest, InvocationResponse } from './rpc.ts'

/** The app in its own thread, seen from the host. */
export interface AppThread {
  readonly functions: readonly FunctionMetadata[]
  readonly capabilities: Readonly<Record<string, string>>
  /** Rejects with {@link InvocationFailed} when the function threw, with HostError ERR_HOST_APP_EXITED when the thread died. */
  invoke(request: InvocationRequest): Promise<InvocationResponse>
  /** Makes an HTTP request from the app's thread. Rejects as `invoke` does. */
  http(call: DurableHttpCall): Promise<DurableHttpAnswer>
  /** Runs the app's appTerminate hooks and ends the thread. */
  stop(): Promise<void>
  /** Ends the thread at once. */
  kill(): Promise<void>
}

/** The function threw. The host wraps and redacts before anyone else sees it. */
export class InvocationFailed extends Error {
  override readonly name = 'InvocationFailed'
  readonly failure: InvocationFailure

  constructor(failure: InvocationFailure) {
    super(failure.message)
    this.failure = failure
  }
}

export interface AppThreadOptions extends AppThreadData {
  readonly env: Record<string, string>
  readonly log: HostLog
  /** The thread ended without being told to. */
  readonly onExit: (reason: HostError) => void
}

interface Waiting {
  resolve(value: never): void
  reject(error: Error): void
}

/** Real time that the app's appTerminate hooks are given. */
const HOOK_GRACE_MS = 5000

const stopped = () => new HostError('ERR_HOST_STOPPED', 'the host is being stopped')

/** Starts the thread and resolves when the app has registered its functions; rejects when it cannot be loaded. */
export async function startAppThread(options: AppThreadOptions): Promise<AppThread> {
  // Sources run as they are (type stripping); the built package runs its JavaScript.
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  const data: AppThreadData = {
    appDir: options.appDir,
    hostVersion: options.hostVersion,
    ...(options.caPem === undefined ? {} : { caPem: options.caPem }),
  }
  const worker = new Worker(new URL(`./thread.${extension}`, import.meta.url), {
    workerData: data,
    env: options.env,
    execArgv: [],
    stdout: true,
    stderr: true,
  })
  forwardLines(worker.stdout, 'information', options.log)
  forwardLines(worker.stderr, 'warning', options.log)

  const waiting = new Map<string, Waiting>()
  const send = (message: ToApp) => worker.postMessage(message)
  let calls = 0
  let stopping = false
  let ended = false
  let terminated: () => void = () => {}
  const hooksRan = new Promise<void>((resolve) => {
    terminated = resolve
  })
  const ready = Promise.withResolvers<Extract<FromApp, { kind: 'ready' }>>()
  let lastError: unknown
  let isReady = false

  const settle = (id: string, act: (waiter: Waiting) => void) => {
    const waiter = waiting.get(id)
    waiting.delete(id)
    if (waiter !== undefined) act(waiter)
  }
  worker.on('message', (message: FromApp) => {
    switch (message.kind) {
      case 'ready':
        isReady = true
        return ready.resolve(message)
      case 'loadFailed':
        return ready.reject(new HostError(message.code, message.message))
      case 'log':
        return options.log(message.entry)
      case 'response':
      case 'httpResponse':
        return settle(message.id, (waiter) => waiter.resolve(message.response as never))
      case 'failure':
        return settle(message.id, (waiter) => waiter.reject(new InvocationFailed(message.failure)))
      case 'terminated':
        return terminated()
    }
  })
  worker.on('error', (error) => {
    lastError = error
  })
  worker.on('exit', (code) => {
    const why = lastError === undefined ? `exit code ${code}` : messageOf(lastError)
    const reason = stopping ? stopped() : new HostError('ERR_HOST_APP_EXITED', `the app's thread ended: ${why}`)
    ready.reject(new HostError('ERR_HOST_APP_LOAD', `the app's thread ended while loading: ${why}`))
    for (const waiter of waiting.values()) waiter.reject(reason)
    waiting.clear()
    terminated()
    ended = true
    if (isReady && !stopping) options.onExit(reason)
  })

  const ask = <T>(id: string, message: ToApp): Promise<T> => {
    if (ended)
      return Promise.reject(stopping ? stopped() : new HostError('ERR_HOST_APP_EXITED', "the app's thread has ended"))
    return new Promise<T>((resolve, reject) => {
      waiting.set(id, { resolve: resolve as (value: never) => void, reject })
      send(message)
    })
  }

  let registered: Extract<FromApp, { kind: 'ready' }>
  try {
    registered = await ready.promise
  } catch (error) {
    stopping = true
    ended = true
    await worker.terminate()
    throw error
  }
  return {
    functions: registered.functions,
    capabilities: registered.capabilities,
    invoke: (request) => ask(request.invocationId, { kind: 'invoke', request }),
    http: (request) => {
      calls += 1
      const id = `http-${calls}`
      return ask(id, { kind: 'http', id, request })
    },
    async stop() {
      if (ended) return
      stopping = true
      send({ kind: 'terminate' })
      await within(HOOK_GRACE_MS, hooksRan)
      ended = true
      await worker.terminate()
    },
    async kill() {
      stopping = true
      ended = true
      await worker.terminate()
    },
  }
}

/** An app's `console` output, line by line, as a host's log has it. */
function forwardLines(stream: Readable, level: 'information' | 'warning', log: HostLog): void {
  createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY }).on('line', (message) =>
    log({ level, category: 'console', message }),
  )
}
