import type { Clock, Dispatcher } from '../core/index.ts'
import { StateBusyError } from './error.ts'

/** How long an import waits for the requests that are being answered, in milliseconds of real time. */
const PATIENCE_MS = 10_000

/** Lets requests through to the services of now, and holds them while others take their place. */
export interface Gate {
  readonly dispatcher: Dispatcher
  /**
   * Runs `change` while no request is being answered; those that come meanwhile wait for its end.
   * @throws StateBusyError when there is one that takes too long
   */
  alone<T>(change: () => Promise<T>): Promise<T>
}

/** @param wall the machine's own clock */
export function createGate(current: () => Dispatcher, wall: Clock): Gate {
  let closed: Promise<void> | undefined
  let inside = 0
  let whenEmpty: (() => void) | undefined
  const pass = async <T>(work: () => T | Promise<T>): Promise<T> => {
    while (closed !== undefined) await closed
    inside += 1
    try {
      return await work()
    } finally {
      inside -= 1
      if (inside === 0) whenEmpty?.()
    }
  }
  return {
    dispatcher: {
      serviceFor: (hostname) => current().serviceFor(hostname),
      plainAnswer: (method, url) =>
        current().plainAnswer(method, url) && ((...asked) => pass(() => current().plainAnswer(method, url)!(...asked))),
      dispatch: (request, caller) => pass(() => current().dispatch(request, caller)),
    },
    async alone(change) {
      while (closed !== undefined) await closed
      const { promise, resolve: open } = Promise.withResolvers<void>()
      closed = promise
      try {
        if (inside > 0) await emptied()
        return await change()
      } finally {
        closed = undefined
        whenEmpty = undefined
        open()
      }
    },
  }

  async function emptied(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    whenEmpty = resolve
    using _deadline = wall.at(wall.now() + PATIENCE_MS, () =>
      reject(new StateBusyError(`a request is still being answered after ${PATIENCE_MS / 1000} seconds; try again`)),
    )
    await promise
  }
}
