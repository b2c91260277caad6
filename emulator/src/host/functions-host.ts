import { resolve } from 'node:path'
import type { Clock, MovableClock, Random } from '../core/index.ts'
// Not by way of the index: a host that runs alone has no use for the certificate authority, and starts faster without.
import { systemRandom } from '../core/random.ts'
import type { FunctionMetadata } from './app/rpc.ts'
import { type AppRuntime, startAppRuntime } from './app/runtime.ts'
import { createDurableClient, type DurableClient } from './durable/client.ts'
import { createClientApi } from './durable/client-api.ts'
import { createEngine, type Engine } from './durable/engine.ts'
import { openHub } from './durable/hub.ts'
import { durableClientJson, managementUrls } from './durable/urls.ts'
import { appEnvironment, readLocalSettings } from './environment.ts'
import { HostError } from './errors.ts'
import { readHostSettings } from './host-json.ts'
import { createAdmin } from './http/admin.ts'
import { createFront, DURABLE_WEBHOOK_PATH } from './http/front.ts'
import { openAccessKeys } from './http/keys.ts'
import { type FetchHandler, type LoopbackListener, listenOnLoopback } from './http/listener.ts'
import { buildRoutes } from './http/routes.ts'
import { onlyBelow } from './http/secret-path.ts'
import { openHubFile } from './hub-file.ts'
import type { HostLog } from './log.ts'
import { createTimerTriggers, type TimerTriggers } from './timers/timer-triggers.ts'

/** The version that the app reads from the core module: the host whose behaviour this one follows. */
const HOST_VERSION = '4.1037.0'
/** Where the app's durable client reaches this host, on a port of its own: below this, a random part follows. */
const RPC_PATH = '/durabletask'

export interface FunctionsHostOptions {
  /** The app's root: its package.json names `main`, its host.json the settings. */
  readonly appDir: string
  /** The public port on 127.0.0.1; 0: a free one. Absent: `LocalHttpPort` of local.settings.json, else a free one. */
  readonly port?: number
  /** Where the hub's file is kept; absent: in memory, gone with the host. */
  readonly dataDir?: string
  /** The app's environment, whole: nothing of this process's own is added. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** PEM of one more certificate authority that the app trusts. */
  readonly caPem?: string
  /** Timers, durable waits and schedules run on it. */
  readonly clock: Clock
  /** Whether functions ask for their keys; default true. The admin API always asks for the master key. */
  readonly requireKeys?: boolean
  readonly log?: HostLog
  readonly random?: Random
}

export interface FunctionsHost {
  /** `http://127.0.0.1:<port>` */
  readonly url: string
  readonly port: number
  /** Opens everything, the admin API too. */
  readonly masterKey: string
  /** The default host key: opens every function of level `function`. */
  readonly functionKey: string
  /** The key of the Durable webhooks. */
  readonly durableKey: string
  /** The default key of one function. */
  keyOf(functionName: string): string
  readonly functions: readonly FunctionMetadata[]
  /** The task hub, as a client sees it. */
  readonly durable: DurableClient
  /**
   * Resolves when nothing runs and nothing is due at this time of the clock: no function, turn, activity or entity.
   * What waits for a later time, or for an event, does not count.
   */
  idle(): Promise<void>
  /** Moves the clock by `ms`, from one due time to the next, each with all its work done. Needs a clock that can move. */
  advance(ms: number): Promise<void>
  /** The next time at which something is due by itself: a durable timer, a schedule. */
  nextDue(): number | undefined
  /** Ends in order: no new work, what runs is finished, appTerminate hooks, thread, sockets, store. May be called twice. */
  stop(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Loads an Azure Functions app as Azure's host does, unmodified, and serves it on loopback. Throws {@link HostError}. */
export async function startFunctionsHost(options: FunctionsHostOptions): Promise<FunctionsHost> {
  const { clock, requireKeys = true, log = () => {}, random = systemRandom() } = options
  const appDir = resolve(options.appDir)
  const local = readLocalSettings(appDir)
  const settings = readHostSettings(appDir, options.env.WEBSITE_SITE_NAME ?? local.values.WEBSITE_SITE_NAME)
  const file = openHubFile(settings.hubName, options.dataDir)
  const cleanup: (() => unknown)[] = [() => file.close()]

  try {
    const hub = openHub(file)
    const keys = openAccessKeys(file, random)
    let serve: FetchHandler = async () => new Response('Function host is not running.', { status: 503 })
    const rpc: { handler: FetchHandler } = { handler: async () => new Response(null, { status: 503 }) }
    const publicListener = await listenOnLoopback((request) => serve(request), options.port ?? local.port ?? 0)
    cleanup.unshift(() => publicListener.close())
    let rpcListener: LoopbackListener | undefined
    if (settings.localRpcEndpointEnabled) {
      rpcListener = await listenOnLoopback((request) => rpc.handler(request))
      cleanup.unshift(() => rpcListener?.close())
    }

    const hostName = `localhost:${publicListener.port}`
    const address = (origin: string) => ({
      webhookBase: `${origin}${DURABLE_WEBHOOK_PATH}`,
      hubName: settings.hubName,
      connectionName: settings.connectionName,
      key: requireKeys ? keys.durableSystem : undefined,
    })
    const env = appEnvironment(options.env, local, { appDir, hostName })
    const isDisabled = (name: string) =>
      /^(true|1)$/i.test(env[`AzureWebJobs.${name}.Disabled`] ?? env[`AzureWebJobs_${name}_Disabled`] ?? '')

    let engine: Engine | undefined
    let timers: TimerTriggers | undefined
    let waiters: (() => void)[] = []
    const isIdle = () => (engine?.running ?? 0) === 0 && (timers?.running ?? 0) === 0 && app.running === 0
    const settle = () => {
      if (waiters.length === 0 || !isIdle()) return
      const ready = waiters
      waiters = []
      for (const resolveOne of ready) resolveOne()
    }

    const rpcPath = `${RPC_PATH}/${random.bytes(32).toString('base64url')}`
    const rpcBaseUrl = rpcListener === undefined ? null : `http://127.0.0.1:${rpcListener.port}${rpcPath}/`
    const clientJson = durableClientJson(address(`http://${hostName}`), rpcBaseUrl)
    const app: AppRuntime = await startAppRuntime({
      appDir,
      hostVersion: HOST_VERSION,
      ...(options.caPem === undefined ? {} : { caPem: options.caPem }),
      env,
      log,
      random,
      durableClient: () => clientJson,
      onSettled: () => settle(),
    })
    cleanup.unshift(() => app.stop())

    const table = buildRoutes(app.functions)
    const durable = createDurableClient({
      hub,
      app: () => app,
      clock,
      random,
      settings,
      urlsOf: (id, origin) => managementUrls(address(origin), id),
      pump: () => engine?.pump(),
    })
    const startedEngine = createEngine({ hub, app, clock, random, settings, log }, settle)
    engine = startedEngine
    const startedTimers = createTimerTriggers({
      app,
      clock,
      hub: file,
      settings: env,
      isDisabled,
      log,
      onSettled: settle,
    })
    timers = startedTimers
    cleanup.unshift(() => startedEngine.stop())
    cleanup.unshift(() => startedTimers.stop())

    const startedAt = clock.now()
    const admin = createAdmin({
      app,
      timers: startedTimers,
      version: HOST_VERSION,
      upSince: () => clock.now() - startedAt,
    })
    serve = createFront({
      routePrefix: settings.routePrefix,
      table,
      app,
      keys,
      requireKeys,
      admin,
      durable: createClientApi(durable, DURABLE_WEBHOOK_PATH),
      isDisabled,
      log,
    })
    rpc.handler = onlyBelow(rpcPath, createClientApi(durable, rpcPath))
    // What an earlier life left on its way goes on from here.
    startedEngine.pump()
    startedTimers.start()

    const idle = () =>
      new Promise<void>((resolveIdle) => {
        waiters.push(resolveIdle)
        // Not in the same breath: an alarm that just fired may be about to send something.
        setImmediate(settle)
      })
    const nextDue = () => earliest(startedEngine.nextDue(), startedTimers.nextDue())
    let stopping: Promise<void> | undefined
    const stop = () => {
      stopping ??= runAll(cleanup)
      return stopping
    }
    return {
      url: `http://127.0.0.1:${publicListener.port}`,
      port: publicListener.port,
      masterKey: keys.master,
      functionKey: keys.host,
      durableKey: keys.durableSystem,
      keyOf: keys.ofFunction,
      functions: app.functions,
      durable,
      idle,
      nextDue,
      async advance(ms) {
        const movable = movableOf(clock)
        const target = clock.now() + ms
        await idle()
        for (let due = nextDue(); due !== undefined && due <= target; due = nextDue()) {
          await movable.advance(Math.max(0, due - clock.now()))
          startedEngine.pump()
          await idle()
        }
        await movable.advance(Math.max(0, target - clock.now()))
        await idle()
      },
      stop,
      [Symbol.asyncDispose]: stop,
    }
  } catch (error) {
    await runAll(cleanup)
    throw error
  }
}

/** Every step is taken, whatever the ones before it did; the first error is the one that is told. */
async function runAll(steps: readonly (() => unknown)[]): Promise<void> {
  const errors: unknown[] = []
  for (const step of steps) {
    try {
      await step()
    } catch (error) {
      errors.push(error)
    }
  }
  if (errors.length > 0) throw errors[0]
}

function earliest(a: number | undefined, b: number | undefined): number | undefined {
  if (a === undefined) return b
  return b === undefined ? a : Math.min(a, b)
}

function movableOf(clock: Clock): MovableClock {
  if ('advance' in clock) return clock as MovableClock
  throw new HostError('ERR_HOST_CLOCK', "the host's clock cannot be moved: give it a manualClock() or a systemClock()")
}
