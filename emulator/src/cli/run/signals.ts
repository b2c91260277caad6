import { constants } from 'node:os'
import type { ProcessExit } from '../../run/index.ts'

/** Not those that Node keeps for itself or has no name for: the real-time ones. */
const FORWARDED = [
  ...(['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH', 'SIGCONT'] as const),
  ...(['SIGALRM', 'SIGVTALRM', 'SIGIO', 'SIGPWR', 'SIGURG'] as const),
]

/**
 * Passes on what is sent to this command while a program runs below it. What its whole process group is sent, as by a
 * terminal, the program has by itself, and the launcher knows.
 */
export function forwardSignals(send: (signal: NodeJS.Signals) => void): Disposable {
  const handlers = FORWARDED.map((name) => [name, () => send(name)] as const)
  return handling(handlers)
}

/** The same for a child without the launcher: it has the terminal's signals by itself, and gets no other twice. */
export function forwardToChild(send: (signal: NodeJS.Signals) => void): Disposable {
  const ofTerminal: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT']
  const handlers = (['SIGHUP', 'SIGTERM', 'SIGUSR1', 'SIGUSR2', ...ofTerminal] as const).map(
    (name) => [name, () => (ofTerminal.includes(name) ? undefined : send(name))] as const,
  )
  return handling(handlers)
}

/** As a shell says it. */
export function exitCodeOf({ code, signal }: ProcessExit): number {
  return code ?? 128 + (signal === null ? 0 : constants.signals[signal])
}

function handling(handlers: readonly (readonly [NodeJS.Signals, () => void])[]): Disposable {
  for (const [name, handler] of handlers) process.on(name, handler)
  return {
    [Symbol.dispose]: () => {
      for (const [name, handler] of handlers) process.off(name, handler)
    },
  }
}
