import { constants } from 'node:os'
import type { ProcessExit } from '../../run/index.ts'

/** Passes on what is sent to this command while a program runs below it. */
export function forwardSignals(send: (signal: NodeJS.Signals) => void): Disposable {
  const names: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGHUP', 'SIGINT', 'SIGQUIT']
  // The terminal sends these to the program itself; here they must only not end the command first.
  const ofTerminal = new Set<NodeJS.Signals>(['SIGINT', 'SIGQUIT'])
  const handlers = names.map((name) => [name, () => (ofTerminal.has(name) ? undefined : send(name))] as const)
  for (const [name, handler] of handlers) process.on(name, handler)
  return {
    [Symbol.dispose]: () => {
      for (const [name, handler] of handlers) process.off(name, handler)
    },
  }
}

/** As a shell says it. */
export function exitCodeOf({ code, signal }: ProcessExit): number {
  return code ?? 128 + (signal === null ? 0 : constants.signals[signal])
}
