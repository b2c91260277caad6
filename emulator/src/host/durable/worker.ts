import type { Clock, Random } from '../../core/index.ts'
import type { AppRuntime } from '../app/runtime.ts'
import { HostError } from '../errors.ts'
import type { HostSettings } from '../host-json.ts'
import type { HostLog } from '../log.ts'
import type { Hub, Message } from './hub.ts'

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

/** How often work is tried again that failed for reasons of the host, not of the function. */
const MAX_ATTEMPTS = 3

/**
 * Whether work that the host (not the function) failed at is left where it is, to be delivered again: always when the
 * host is being stopped, a few times when the app's thread died under it.
 */
export function leftForLater({ hub }: EngineContext, error: unknown, messages: readonly Message[]): boolean {
  if (error instanceof HostError && error.code === 'ERR_HOST_STOPPED') return true
  if (messages.some(({ attempts }) => attempts + 1 >= MAX_ATTEMPTS)) return false
  hub.countAttempt(messages.map(({ id }) => id))
  return true
}
