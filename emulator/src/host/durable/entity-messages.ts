import { createHash } from 'node:crypto'
import type { Action } from './actions.ts'

/** Who sends: an orchestration, in one of its executions. */
export interface EntityCaller {
  readonly instanceId: string
  readonly executionId: string
}

/** What travels to an entity (the extension's RequestMessage), as JSON. */
export interface EntityRequest {
  /** null: a lock request. */
  readonly op: string | null
  readonly signal?: boolean
  /** JSON text. */
  readonly input?: string | null
  readonly id: string
  /** The calling orchestration; absent for a client or an entity. */
  readonly parent?: string
  readonly parentExecution?: string
  /** For a lock request: all that are locked, in order, and which of them is asked now. */
  readonly lockset?: readonly EntityName[]
  readonly pos?: number
  readonly Timestamp?: string
  readonly Predecessor?: string
}

export interface EntityName {
  readonly name: string
  readonly key: string
}

/** `@name@key`, the name in lower case. */
export function schedulerId({ name, key }: EntityName): string {
  return `@${name.toLowerCase()}@${key}`
}

/** Splits at the first two `@`: a key may hold more of them. */
export function parseSchedulerId(id: string): EntityName {
  const second = id.indexOf('@', 1)
  return { name: id.slice(1, second), key: id.slice(second + 1) }
}

/** The id of the request that an execution sends under that sequence id: the same in every replay. */
export function entityRequestId(executionId: string, id: number): string {
  const hex = createHash('sha256').update(`${executionId}:${id}`).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/** Before every other message of its sender: one store keeps the order by itself. */
const NO_PREDECESSOR = '0001-01-01T00:00:00'

interface Sent {
  readonly name: string
  readonly target: string
  readonly input: string
}

export function entityMessage(caller: EntityCaller, id: number, action: Action, nowMs: number, signal: boolean): Sent {
  const message: EntityRequest = {
    op: action.operation as string,
    ...(signal ? { signal: true } : {}),
    ...(action.input === undefined ? {} : { input: JSON.stringify(action.input) }),
    id: entityRequestId(caller.executionId, id),
    parent: caller.instanceId,
    parentExecution: caller.executionId,
    Timestamp: new Date(nowMs).toISOString(),
    Predecessor: NO_PREDECESSOR,
  }
  return { name: 'op', target: action.instanceId as string, input: JSON.stringify(message) }
}

export function lockMessage(caller: EntityCaller, id: string, lockset: readonly EntityName[], nowMs: number): Sent {
  const message: EntityRequest = {
    op: null,
    id,
    parent: caller.instanceId,
    parentExecution: caller.executionId,
    lockset,
    pos: 0,
    Timestamp: new Date(nowMs).toISOString(),
    Predecessor: NO_PREDECESSOR,
  }
  const first = lockset[0]
  return { name: 'op', target: first === undefined ? '' : schedulerId(first), input: JSON.stringify(message) }
}

export function releaseMessage(caller: EntityCaller, id: string, target: string): Sent {
  return { name: 'release', target, input: JSON.stringify({ parent: caller.instanceId, id }) }
}
