import { InvocationFailed } from '../app/app-thread.ts'
import type { AppRuntime } from '../app/runtime.ts'
import type { OrchestratorState } from './actions.ts'
import { EventType, type HistoryEvent } from './events.ts'
import { cutMessage, stateOfFailure, wrapFailure } from './failure.ts'
import type { Instance } from './hub.ts'
import { LONG_TIMER_INTERVAL, MAX_SHORT_TIMER } from './timing.ts'

/** What the orchestrator's function answered: a state, or a failure that carries none. */
export type OrchestratorAnswer = { readonly state: OrchestratorState } | { readonly failure: string }

/** The level of the extension's protocol that this host speaks: V4, which carries locks. */
export const REPLAY_SCHEMA = 3

/** Calls the orchestrator with its whole history. Throws only when the app's thread died. */
export async function callOrchestrator(
  app: AppRuntime,
  instance: Instance,
  earlier: readonly HistoryEvent[],
  now: readonly HistoryEvent[],
  httpSleepMs: number,
): Promise<OrchestratorAnswer> {
  const metadata = app.find(instance.name, 'orchestrationTrigger')
  if (metadata === undefined)
    return {
      failure: `the orchestrator function '${instance.name}' doesn't exist, is disabled, or is not an orchestrator function`,
    }
  const history = [
    ...earlier.map((event) => ({ ...event, IsPlayed: true })),
    ...now.map((event) => ({ ...event, IsPlayed: false })),
  ]
  const trigger = {
    history,
    input: instance.input === null ? null : (JSON.parse(instance.input) as unknown),
    instanceId: instance.id,
    isReplaying: history.find(({ EventType: type }) => type === EventType.ExecutionStarted)?.IsPlayed ?? false,
    parentInstanceId: instance.parent?.OrchestrationInstance.InstanceId ?? null,
    upperSchemaVersion: 1,
    upperSchemaVersionNew: REPLAY_SCHEMA,
    longRunningTimerIntervalDuration: LONG_TIMER_INTERVAL,
    maximumShortTimerDuration: MAX_SHORT_TIMER,
    // The extension spells it so.
    defaultHttpAsyncRequestSleepTimeMillseconds: httpSleepMs,
  }
  try {
    const response = await app.invoke({
      metadata,
      triggerType: 'orchestrationTrigger',
      data: { string: JSON.stringify(trigger) },
    })
    return checked(response.returnValue?.json)
  } catch (error) {
    if (!(error instanceof InvocationFailed)) throw error
    const state = stateOfFailure(error.failure.message)
    if (state === 'malformed') return { failure: 'Out of proc orchestrators must return a valid JSON schema' }
    return state === undefined ? { failure: cutMessage(wrapFailure(error.failure)).trimStart() } : checkedState(state)
  }
}

function checked(json: string | null | undefined): OrchestratorAnswer {
  try {
    return checkedState(JSON.parse(json ?? 'null') as OrchestratorState | null)
  } catch {
    return { failure: 'Out of proc orchestrators must return a valid JSON schema' }
  }
}

function checkedState(state: OrchestratorState | null): OrchestratorAnswer {
  if (state === null || typeof state !== 'object' || !Array.isArray(state.actions)) {
    return { failure: 'Out of proc orchestrators must return a valid JSON schema' }
  }
  if (state.schemaVersion !== undefined && state.schemaVersion > REPLAY_SCHEMA) {
    return {
      failure: `The orchestrator answered with schema version ${state.schemaVersion}; this host knows ${REPLAY_SCHEMA}`,
    }
  }
  if (state.actions.length !== 1)
    return { failure: `The orchestrator answered with ${state.actions.length} lists of actions; 1 is expected` }
  return { state }
}
