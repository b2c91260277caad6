import type { Clock, Random } from '../../core/index.ts'
import type { AppRuntime } from '../app/runtime.ts'
import { messageOf } from '../errors.ts'
import type { HostSettings } from '../host-json.ts'
import type { HostLog } from '../log.ts'
import { createActivityWorker } from './activities.ts'
import { createEntityWorker } from './entities.ts'
import type { Hub } from './hub.ts'
import { createOrchestrationWorker } from './orchestrations.ts'

/** What the parts of the engine share. */
export interface EngineContext {
  readonly hub: Hub
  readonly app: AppRuntime
  readonly clock: Clock
  readonly random: Random
  readonly settings: HostSettings
  readonly log: HostLog
}

/** One kind of work: what is due, under the name that keeps two of them from running at once, and how it is done. */
export interface EngineWorker {
  readonly limit: number
  due(now: number): readonly { readonly key: string; run(): Promise<void> }[]
}

/** Drives messages to their targets. Nothing it has to remember is in memory: a new engine on the same hub goes on. */
export interface Engine {
  /** Starts what is due. Call it whenever a message was sent or time moved. */
  pump(): void
  /** How much runs now. */
  readonly running: number
  /** When the next message becomes visible; undefined: none is on its way. */
  nextDue(): number | undefined
  /** Takes no more work and waits for what runs. */
  stop(): Promise<void>
}

/** How often work is tried again that failed for reasons of the host, not of the function. */
export const MAX_ATTEMPTS = 3

export function createEngine(context: EngineContext, onSettled: () => void): Engine {
  const workers: readonly EngineWorker[] = [
    createOrchestrationWorker(context),
    createActivityWorker(context),
    createEntityWorker(context),
  ]
  const running = workers.map(() => new Map<string, Promise<void>>())
  let alarm: Disposable | undefined
  let stopped = false

  const runOne = (flights: Map<string, Promise<void>>, key: string, run: () => Promise<void>) => {
    const flight = run()
      .catch((error) =>
        context.log({
          level: 'error',
          category: 'host',
          message: `durable work on ${key} failed: ${messageOf(error)}`,
        }),
      )
      .finally(() => {
        flights.delete(key)
        pump()
        onSettled()
      })
    flights.set(key, flight)
  }

  const pump = (): void => {
    if (stopped) return
    const now = context.clock.now()
    for (const [index, worker] of workers.entries()) {
      const flights = running[index] as Map<string, Promise<void>>
      if (flights.size >= worker.limit) continue
      for (const work of worker.due(now)) {
        if (flights.size >= worker.limit) break
        if (!flights.has(work.key)) runOne(flights, work.key, () => work.run())
      }
    }
    alarm?.[Symbol.dispose]()
    const next = context.hub.nextVisible(now)
    alarm = next === undefined ? undefined : context.clock.at(next, pump)
  }

  return {
    pump,
    get running() {
      return running.reduce((sum, flights) => sum + flights.size, 0)
    },
    nextDue: () => context.hub.nextVisible(context.clock.now()),
    async stop() {
      stopped = true
      alarm?.[Symbol.dispose]()
      await Promise.all(running.flatMap((flights) => [...flights.values()]))
    },
  }
}
