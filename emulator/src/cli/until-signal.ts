import { constants } from 'node:os'
import { systemClock } from '../core/clock.ts'

/** How long a command may take to end after it was told to. Milliseconds. */
const PATIENCE_MS = 5_000

export interface Ending extends Disposable {
  /** Resolves at the first SIGTERM, SIGINT or SIGHUP. */
  readonly signal: Promise<NodeJS.Signals>
  /** Whether it came already. */
  readonly asked: boolean
}

/**
 * Takes the signals that ask a command to end. Further ones change nothing: a terminal's Ctrl-C reaches a command more than
 * once, directly and through npm. What has not ended in time is ended, and what is held until the exit is given back then
 * too. Dispose of it last.
 */
export function untilSignal(): Ending {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>()
  const names: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGHUP']
  const clock = systemClock()
  let deadline: Disposable | undefined
  const ask = (signal: NodeJS.Signals) => {
    deadline ??= clock.at(clock.now() + PATIENCE_MS, () => process.exit(128 + constants.signals[signal]))
    resolve(signal)
  }
  // A promise alone does not keep a process alive; the listening socket does.
  for (const name of names) process.on(name, ask)
  return {
    signal: promise,
    get asked() {
      return deadline !== undefined
    },
    [Symbol.dispose]: () => {
      deadline?.[Symbol.dispose]()
      for (const name of names) process.off(name, ask)
    },
  }
}
