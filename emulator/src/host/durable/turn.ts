import type { OrchestratorState } from './actions.ts'
import { type Decision, scheduledEvent } from './decisions.ts'
import { EventType, type FailureDetails, type HistoryEvent, type RuntimeStatus, STATUS_NUMBER } from './events.ts'
import type { Instance } from './hub.ts'
import type { OrchestratorAnswer } from './orchestrator-call.ts'
import { runShim, ShimError, type ShimResult } from './shim.ts'

/** What a turn leaves: one transaction applies it. */
export interface TurnOutcome {
  /** Appended to the history. */
  readonly events: readonly HistoryEvent[]
  readonly decisions: readonly Decision[]
  readonly cancelledTimers: readonly number[]
  readonly status: RuntimeStatus
  /** JSON text; words for a failure; null while it runs. */
  readonly output: string | null
  /** JSON text; undefined: as before. */
  readonly customStatus: string | undefined
  readonly failure?: { readonly error: string; readonly details: FailureDetails | null }
  readonly continueAsNew?: { readonly input: string | null; readonly carried: readonly HistoryEvent[] }
  /** For a person who watches: why this instance may never end. */
  readonly warnings: readonly string[]
}

export interface TurnInput {
  readonly instance: Instance
  readonly earlier: readonly HistoryEvent[]
  /** This turn's segment: OrchestratorStarted and what was received. */
  readonly received: readonly HistoryEvent[]
  readonly answer: OrchestratorAnswer
  readonly nowIso: string
  readonly settings: { readonly httpSleepMs: number; readonly defaultVersion: string; readonly storeInputs: boolean }
  /** Why this decision cannot be carried out; undefined: it can. */
  readonly refuse: (decision: Decision) => string | undefined
}

/** The rules of one turn. Pure: the same input gives the same outcome. */
export function decideTurn(input: TurnInput): TurnOutcome {
  const { instance, answer, earlier, received } = input
  if ('failure' in answer)
    return ended(input, [], 'Failed', failureText(instance, answer.failure), { error: answer.failure })
  const { state } = answer
  let shim: ShimResult
  try {
    shim = runShim({
      caller: { instanceId: instance.id, executionId: instance.execution },
      actions: state.actions[0] ?? [],
      isDone: state.isDone,
      events: [...earlier, ...received],
      httpSleepMs: input.settings.httpSleepMs,
      defaultVersion: input.settings.defaultVersion,
    })
  } catch (error) {
    if (!(error instanceof ShimError)) throw error
    return ended(input, [], 'Failed', failureText(instance, error.message), { error: error.message }, state)
  }
  if (shim.nonDeterminism !== undefined) {
    const text = `Non-Deterministic workflow detected: ${shim.nonDeterminism}. Was the orchestrator changed while this instance ran, or does it use the clock, random values or I/O outside of its context?`
    return ended(input, [], 'Failed', text, { error: text }, state)
  }
  for (const decision of shim.decisions) {
    const reason = input.refuse(decision)
    if (reason !== undefined) return ended(input, [], 'Failed', failureText(instance, reason), { error: reason }, state)
  }

  const mayEnd = shim.exhausted && shim.openTasks === 0 && !shim.suspended
  if (mayEnd && state.error !== undefined) {
    const failure = { error: state.error, details: state.failureDetails ?? null }
    return ended(input, shim.decisions, 'Failed', failureText(instance, state.error), failure, state, shim)
  }
  if (mayEnd && state.isDone && shim.continueAsNew === undefined) {
    return ended(
      input,
      shim.decisions,
      'Completed',
      state.output === undefined ? null : JSON.stringify(state.output),
      undefined,
      state,
      shim,
    )
  }
  const running: TurnOutcome = {
    events: segment(input, shim.decisions),
    decisions: shim.decisions,
    cancelledTimers: shim.cancelledTimers,
    status: shim.suspended ? 'Suspended' : 'Running',
    output: null,
    customStatus: customStatusOf(state),
    warnings: warningsOf(state, shim),
  }
  if (!mayEnd || !state.isDone || shim.continueAsNew === undefined) return running
  const next = shim.continueAsNew.input
  return {
    ...running,
    continueAsNew: { input: next === undefined ? null : JSON.stringify(next), carried: shim.unconsumed },
  }
}

/** The outcome of a terminate message: at once, whatever is open. */
export function terminateTurn(
  input: Pick<TurnInput, 'received' | 'nowIso' | 'settings' | 'earlier'>,
  reason: string,
): TurnOutcome {
  return ended(input, [], 'Terminated', JSON.stringify(reason))
}

function ended(
  input: Pick<TurnInput, 'received' | 'nowIso' | 'settings' | 'earlier'>,
  decisions: readonly Decision[],
  status: RuntimeStatus,
  output: string | null,
  failure?: { error: string; details?: FailureDetails | null },
  state?: OrchestratorState,
  shim?: ShimResult,
): TurnOutcome {
  const completion: HistoryEvent = {
    EventType: EventType.ExecutionCompleted,
    EventId: shim?.nextId ?? nextIdAfter(input.earlier),
    Timestamp: input.nowIso,
    OrchestrationStatus: STATUS_NUMBER[status],
    Result: output,
    FailureDetails: failure?.details ?? null,
  }
  return {
    events: segment(input, decisions, completion),
    decisions,
    cancelledTimers: shim?.cancelledTimers ?? [],
    status,
    output,
    customStatus: customStatusOf(state),
    ...(failure === undefined ? {} : { failure: { error: failure.error, details: failure.details ?? null } }),
    warnings: [],
  }
}

function segment(
  input: Pick<TurnInput, 'received' | 'nowIso' | 'settings'>,
  decisions: readonly Decision[],
  completion?: HistoryEvent,
): HistoryEvent[] {
  return [
    ...input.received,
    ...decisions.map((decision) => scheduledEvent(decision, input.nowIso, input.settings.storeInputs)),
    ...(completion === undefined ? [] : [completion]),
    { EventType: EventType.OrchestratorCompleted, EventId: -1, Timestamp: input.nowIso },
  ]
}

function nextIdAfter(events: readonly HistoryEvent[]): number {
  return events.reduce((next, { EventId }) => Math.max(next, EventId + 1), 0)
}

function failureText(instance: Instance, error: string): string {
  return `Orchestrator function '${instance.name}' failed: ${error}`
}

/** The library never sends a falsy custom status: what is absent stays as it was. */
function customStatusOf(state: OrchestratorState | undefined): string | undefined {
  return state?.customStatus === undefined ? undefined : JSON.stringify(state.customStatus)
}

function warningsOf(state: OrchestratorState, shim: ShimResult): string[] {
  const warnings = shim.hangs.map((hang) => `it waits for something that will not come, as it would on Azure: ${hang}`)
  const returned = state.isDone || state.error !== undefined
  if (returned && shim.openTasks > 0) {
    warnings.push(
      `the orchestrator has returned, but ${shim.openTasks} activities, timers or sub-orchestrations of it are still open`,
    )
  }
  if (
    !returned &&
    shim.exhausted &&
    shim.openTasks === 0 &&
    !shim.suspended &&
    shim.decisions.length === 0 &&
    shim.hangs.length === 0
  ) {
    warnings.push(
      'nothing is pending and the orchestrator has not returned: it threw something that is no Error, or waits for an event whose name differs in case',
    )
  }
  return warnings
}
