import { type Action, ActionType, HTTP_ACTIVITY, type RetryOptions } from './actions.ts'
import { type Decision, differenceFrom, recordsDecision } from './decisions.ts'
import {
  type EntityCaller,
  entityMessage,
  entityRequestId,
  lockMessage,
  releaseMessage,
  schedulerId,
} from './entity-messages.ts'
import { EventType, type HistoryEvent } from './events.ts'
import { nextHttpRequest } from './http-polling.ts'
import { allOf, anyOf, type Routine, ShimTask, start } from './shim-task.ts'
import { LONG_TIMER_INTERVAL_MS, longestRetryMs, MAX_SHORT_TIMER_MS, retryDelay } from './timing.ts'

/**
 * The Durable extension's "out-of-process shim": the library's cumulative list of actions is the body of a small
 * orchestrator, replayed from the start of the history in every turn. It gives each scheduled thing its sequence id,
 * compares it with the history, and tells what is new.
 */
export interface ShimInput {
  readonly caller: EntityCaller
  readonly actions: readonly Action[]
  /** The orchestrator returned (or continued as new): locks that it still holds are given back. */
  readonly isDone: boolean
  /** The whole execution, this turn's messages included. */
  readonly events: readonly HistoryEvent[]
  readonly httpSleepMs: number
  readonly defaultVersion: string
}

export interface ShimResult {
  /** Scheduled now for the first time, in the order of their ids. */
  readonly decisions: readonly Decision[]
  /** Timers that were cancelled: their messages must not drag the clock. */
  readonly cancelledTimers: readonly number[]
  /** The list came to its end: nothing of it is waited for. */
  readonly exhausted: boolean
  /** Activities, timers and sub-orchestrations that have not ended. While there is one, the instance cannot finish. */
  readonly openTasks: number
  readonly suspended: boolean
  readonly nextId: number
  /** Set when the history tells of another run than this one. */
  readonly nonDeterminism: string | undefined
  readonly continueAsNew: { readonly input: unknown } | undefined
  /** External events that came after the list had ended: continueAsNew carries them over. */
  readonly unconsumed: readonly HistoryEvent[]
  /** Something Azure would wait on for ever, in words. */
  readonly hangs: readonly string[]
}

/** An action that the extension would refuse: the instance fails. */
export class ShimError extends Error {
  override readonly name = 'ShimError'
}

export function runShim(input: ShimInput): ShimResult {
  return new Shim(input).run()
}

class Shim {
  readonly #input: ShimInput
  readonly #decisions = new Map<number, Decision>()
  readonly #recorded = new Set<number>()
  readonly #fired: ReadonlySet<number>
  readonly #open = new Map<number, ShimTask>()
  /** Waiters by event name in lower case; the last that came is served first. */
  readonly #waiters = new Map<string, ShimTask[]>()
  readonly #early = new Map<string, HistoryEvent[]>()
  readonly #answers = new Map<string, ShimTask>()
  readonly #cancelled: number[] = []
  readonly #unconsumed: HistoryEvent[] = []
  readonly #hangs: string[] = []
  #locks: { id: string; targets: string[] } | undefined
  #walk = new ShimTask()
  #nextId = 0
  #now = 0
  #suspended = false
  #held: HistoryEvent[] = []
  #nonDeterminism: string | undefined
  #continueAsNew: { input: unknown } | undefined

  constructor(input: ShimInput) {
    this.#input = input
    this.#fired = new Set(
      input.events
        .filter(({ EventType: type }) => type === EventType.TimerFired)
        .map(({ TimerId }) => TimerId as number),
    )
  }

  run(): ShimResult {
    for (const event of this.#input.events) {
      this.#take(event)
      if (this.#nonDeterminism !== undefined) break
    }
    return {
      decisions: [...this.#decisions.values()].filter(({ id }) => !this.#recorded.has(id)),
      cancelledTimers: this.#cancelled,
      exhausted: this.#walk.done,
      openTasks: this.#open.size,
      suspended: this.#suspended,
      nextId: this.#nextId,
      nonDeterminism: this.#nonDeterminism,
      continueAsNew: this.#continueAsNew,
      unconsumed: this.#unconsumed,
      hangs: this.#hangs,
    }
  }

  #take(event: HistoryEvent): void {
    switch (event.EventType) {
      case EventType.OrchestratorStarted:
        this.#now = Date.parse(event.Timestamp)
        return
      case EventType.ExecutionStarted:
        this.#walk = start(this.#list(this.#input.actions))
        if (this.#input.isDone) this.#walk.onDone(() => this.#releaseLocks())
        return
      case EventType.ExecutionSuspended:
        this.#suspended = true
        return
      case EventType.ExecutionResumed: {
        this.#suspended = false
        const held = this.#held
        this.#held = []
        for (const earlier of held) this.#deliver(earlier)
        return
      }
      default:
        if (recordsDecision(event)) {
          this.#nonDeterminism = differenceFrom(event, this.#decisions.get(event.EventId))
          this.#recorded.add(event.EventId)
        } else if (this.#suspended) this.#held.push(event)
        else this.#deliver(event)
    }
  }

  #deliver(event: HistoryEvent): void {
    switch (event.EventType) {
      case EventType.TaskCompleted:
      case EventType.SubOrchestrationInstanceCompleted:
        this.#settle(event.TaskScheduledId as number, false, event.Result ?? null)
        return
      case EventType.TaskFailed:
      case EventType.SubOrchestrationInstanceFailed:
        this.#settle(event.TaskScheduledId as number, true, null)
        return
      case EventType.TimerFired:
        this.#settle(event.TimerId as number, false, null)
        return
      case EventType.EventRaised:
        this.#raise(event)
        return
      default:
        return
    }
  }

  #settle(id: number, failed: boolean, result: string | null): void {
    const task = this.#open.get(id)
    this.#open.delete(id)
    task?.settle(failed, result)
  }

  #raise(event: HistoryEvent): void {
    const answer = this.#answers.get(event.Name as string)
    if (answer !== undefined) {
      this.#answers.delete(event.Name as string)
      answer.settle(false, event.Input ?? null)
      return
    }
    if (this.#walk.done) this.#unconsumed.push(event)
    const name = (event.Name as string).toLowerCase()
    const waiter = this.#waiters.get(name)?.pop()
    if (waiter !== undefined) waiter.settle(false, event.Input ?? null)
    else this.#early.set(name, [...(this.#early.get(name) ?? []), event])
  }

  *#list(actions: readonly Action[]): Routine {
    for (const action of actions) {
      const task = this.#start(action)
      if (task !== undefined) yield task
    }
    return false
  }

  /** Starts one action; undefined: nothing to wait for. A failure is not this list's business: the library saw it. */
  #start(action: Action): ShimTask | undefined {
    switch (action.actionType) {
      case ActionType.CallActivity:
        return this.#activity(action.functionName as string, action.input)
      case ActionType.CallActivityWithRetry:
        return start(
          this.#retry(action.retryOptions, () => this.#activity(action.functionName as string, action.input)),
        )
      case ActionType.CallSubOrchestrator:
        return this.#child(action)
      case ActionType.CallSubOrchestratorWithRetry:
        return start(this.#retry(action.retryOptions, () => this.#child(action)))
      case ActionType.ContinueAsNew:
        this.#continueAsNew = { input: action.input }
        return undefined
      case ActionType.CreateTimer:
        return start(this.#timer(Date.parse(action.fireAt as string), action.isCanceled === true))
      case ActionType.WaitForExternalEvent:
        return this.#waitFor(action.externalEventName as string)
      case ActionType.CallEntity:
        return this.#callEntity(action)
      case ActionType.SignalEntity:
        this.#send((id) => entityMessage(this.#input.caller, id, action, this.#now, true))
        return undefined
      case ActionType.CallHttp:
        return start(this.#http(action))
      case ActionType.WhenAny:
        return anyOf(this.#startAll(action.compoundActions))
      case ActionType.WhenAll:
        return allOf(this.#startAll(action.compoundActions))
      case ActionType.LockEntities:
        return this.#lock(action)
      case ActionType.ReleaseEntities:
        this.#releaseLocks()
        return undefined
      default:
        throw new ShimError(`Unknown action type ${action.actionType} in the orchestrator's answer`)
    }
  }

  #startAll(actions: readonly Action[] = []): ShimTask[] {
    return actions.map((action) => {
      const task = this.#start(action)
      if (task !== undefined) return task
      const done = new ShimTask()
      done.settle()
      return done
    })
  }

  #id(): number {
    const id = this.#nextId
    this.#nextId += 1
    return id
  }

  #openTask(decision: Decision): ShimTask {
    const task = new ShimTask()
    this.#decisions.set(decision.id, decision)
    this.#open.set(decision.id, task)
    return task
  }

  #activity(name: string, input: unknown): ShimTask {
    return this.#openTask({ id: this.#id(), kind: 'activity', name, input })
  }

  #child(action: Action): ShimTask {
    const id = this.#id()
    const { executionId } = this.#input.caller
    return this.#openTask({
      id,
      kind: 'child',
      name: action.functionName as string,
      instanceId: action.instanceId || `${executionId}:${id.toString(16).padStart(4, '0')}`,
      version: action.version ?? this.#input.defaultVersion,
      input: action.input === undefined ? null : JSON.stringify(action.input),
    })
  }

  #oneTimer(fireAt: number): { id: number; task: ShimTask } {
    const id = this.#id()
    return { id, task: this.#openTask({ id, kind: 'timer', fireAt }) }
  }

  /** A long wait is cut into chunks; a cancelled one ends at the first chunk that has not fired. */
  *#timer(fireAt: number, cancelled: boolean): Routine {
    const long = fireAt - this.#now > MAX_SHORT_TIMER_MS
    for (;;) {
      const chunk = long && fireAt - this.#now > LONG_TIMER_INTERVAL_MS
      const { id, task } = this.#oneTimer(chunk ? this.#now + LONG_TIMER_INTERVAL_MS : fireAt)
      if (cancelled && !this.#fired.has(id)) {
        this.#open.delete(id)
        this.#cancelled.push(id)
        return true
      }
      yield task
      if (!chunk) return false
    }
  }

  /** After every failure comes a timer, after the last one too: the library waits for it before it throws. */
  *#retry(options: RetryOptions | undefined, attempt: () => ShimTask): Routine {
    if (options === undefined) throw new ShimError('an action with retry has no retryOptions')
    const refused = longestRetryMs(options) > MAX_SHORT_TIMER_MS
    const started = this.#now
    for (let failures = 1; ; failures++) {
      const task = attempt()
      yield task
      if (!task.failed) return false
      if (failures >= options.maxNumberOfAttempts) {
        yield this.#oneTimer(this.#now).task
        return true
      }
      if (refused || this.#now - started >= (options.retryTimeoutInMilliseconds ?? Number.POSITIVE_INFINITY)) {
        this.#hangs.push(refused ? 'a retry interval is longer than six days' : 'the retry timeout has passed')
        return true
      }
      yield this.#oneTimer(this.#now + retryDelay(options, failures)).task
    }
  }

  #waitFor(name: string): ShimTask {
    const task = new ShimTask()
    const key = name.toLowerCase()
    const early = this.#early.get(key)?.shift()
    if (early !== undefined) task.settle(false, early.Input ?? null)
    else this.#waiters.set(key, [...(this.#waiters.get(key) ?? []), task])
    return task
  }

  #send(make: (id: number) => { name: string; target: string; input: string }): number {
    const id = this.#id()
    this.#decisions.set(id, { id, kind: 'send', ...make(id) })
    return id
  }

  #answerTo(requestId: string): ShimTask {
    const task = new ShimTask()
    this.#answers.set(requestId, task)
    return task
  }

  #callEntity(action: Action): ShimTask {
    const { caller } = this.#input
    const id = this.#send((sent) => entityMessage(caller, sent, action, this.#now, false))
    return this.#answerTo(entityRequestId(caller.executionId, id))
  }

  #lock(action: Action): ShimTask {
    const lockSet = action.lockSet ?? []
    const id = action.lockRequestId as string
    this.#send(() => lockMessage(this.#input.caller, id, lockSet, this.#now))
    this.#locks = { id, targets: lockSet.map(schedulerId) }
    return this.#answerTo(id)
  }

  #releaseLocks(): void {
    const locks = this.#locks
    this.#locks = undefined
    for (const target of locks?.targets ?? []) {
      this.#send(() => releaseMessage(this.#input.caller, locks?.id as string, target))
    }
  }

  *#http(action: Action): Routine {
    const first = action.httpRequest
    if (first === undefined) throw new ShimError('a callHttp action has no httpRequest')
    let task = this.#activity(HTTP_ACTIVITY, first)
    for (;;) {
      yield task
      if (task.failed || first.asynchronousPatternEnabled !== true) return task.failed
      const next = nextHttpRequest(first, task.result, this.#input.httpSleepMs)
      if (next === 'done') return false
      if (next === 'stuck') {
        this.#hangs.push('callHttp got a 202 whose Location or Retry-After cannot be followed')
        return true
      }
      yield this.#oneTimer(this.#now + next.delayMs).task
      task = this.#activity(HTTP_ACTIVITY, next.request)
    }
  }
}
