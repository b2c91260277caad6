import { messageOf } from '../errors.ts'
import { within } from '../within.ts'
import { createActivityWorker } from './activities.ts'
import { createEntityWorker } from './entities.ts'
import { createOrchestrationWorker } from './orchestrations.ts'
import type { EngineContext, EngineWorker } from './worker.ts'

/** Drives messages to their targets. Nothing it has to remember is in memory: a new engine on the same hub goes on. */
export interface Engine {
  /**
   * Starts what is due, in a moment: messages sent together are received in one turn. Call it whenever a message was
   * sent or time moved.
   */
  pump(): void
  /** How much runs now. */
  readonly running: number
  /** When the next message becomes visible; undefined: none is on its way. */
  nextDue(): number | undefined
  /** Takes no more work and waits for what runs. */
  stop(): Promise<void>
}

/** Real time that `stop` gives to what runs: after it, unfinished work is left to the next life of the hub. */
const GRACE_MS = 3000

export function createEngine(context: EngineContext, onSettled: () => void): Engine {
  const workers: readonly EngineWorker[] = [
    createOrchestrationWorker(context),
    createActivityWorker(context),
    createEntityWorker(context),
  ]
  const running = workers.map(() => new Map<string, Promise<void>>())
  let alarm: Disposable | undefined
  let stopped = false
  let pending = false

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
      })
    flights.set(key, flight)
  }

  const pump = (): void => {
    if (stopped || pending) return
    pending = true
    setImmediate(() => {
      pending = false
      if (stopped) return
      startDue()
      onSettled()
    })
  }

  const startDue = (): void => {
    if (!context.app.available) return
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
      return running.reduce((sum, flights) => sum + flights.size, pending ? 1 : 0)
    },
    nextDue: () => context.hub.nextVisible(context.clock.now()),
    async stop() {
      stopped = true
      alarm?.[Symbol.dispose]()
      await within(GRACE_MS, Promise.all(running.flatMap((flights) => [...flights.values()])))
    },
  }
}
