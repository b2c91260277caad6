import { messageOf } from '../errors.ts'
import { HTTP_ACTIVITY } from './actions.ts'
import type { Decision } from './decisions.ts'
import { EventType, executionStarted, type HistoryEvent, isFinished, type PendingEvent } from './events.ts'
import type { Instance, Message } from './hub.ts'
import { createInstance, executionId } from './instances.ts'
import { callOrchestrator, type OrchestratorAnswer } from './orchestrator-call.ts'
import { decideTurn, type TurnOutcome, terminateTurn } from './turn.ts'
import { type EngineContext, type EngineWorker, leftForLater } from './worker.ts'

/** Orchestration turns: one at a time per instance. */
export function createOrchestrationWorker(context: EngineContext): EngineWorker {
  return {
    limit: context.settings.maxConcurrentOrchestratorFunctions,
    due: (now) =>
      context.hub.dueTargets('orchestration', now).map((key) => ({ key, run: () => runTurn(context, key) })),
  }
}

async function runTurn(context: EngineContext, id: string): Promise<void> {
  const { hub, clock } = context
  const instance = hub.instance(id)
  const now = clock.now()
  const messages = hub.inbox('orchestration', id, now)
  if (instance === undefined || isFinished(instance.status))
    return hub.removeMessages(messages.map((message) => message.id))
  const taken = messages.filter(({ execution }) => execution === null || execution === instance.execution)
  if (taken.length === 0) return hub.removeMessages(messages.map((message) => message.id))

  const nowIso = new Date(now).toISOString()
  const received: HistoryEvent[] = [
    { EventType: EventType.OrchestratorStarted, EventId: -1, Timestamp: nowIso },
    ...inOrder(taken).map((event) => ({ ...event, Timestamp: nowIso })),
  ]
  const earlier = hub.history(id)
  const settings = {
    httpSleepMs: context.settings.httpSleepMs,
    defaultVersion: context.settings.defaultVersion,
    storeInputs: context.settings.storeInputsInOrchestrationHistory,
  }
  const input = {
    instance,
    earlier,
    received,
    nowIso,
    settings,
    refuse: (decision: Decision) => refuse(context, instance, decision),
  }

  const terminate = received.find(({ EventType: type }) => type === EventType.ExecutionTerminated)
  let outcome: TurnOutcome
  if (terminate !== undefined) outcome = terminateTurn(input, terminate.Input ?? '')
  else {
    let answer: OrchestratorAnswer
    try {
      answer = await callOrchestrator(context.app, instance, earlier, received, settings.httpSleepMs)
    } catch (error) {
      // The app's thread died under it. A turn has no effect before it is committed, so it is simply taken again.
      if (leftForLater(context, error, taken)) return
      answer = { failure: messageOf(error) }
    }
    outcome = decideTurn({ ...input, answer })
  }
  commit(context, instance, messages, outcome)
}

/** The start comes first, whatever overtook it; the rest as it was sent. */
function inOrder(messages: readonly Message[]): PendingEvent[] {
  const events = messages.map(({ payload }) => JSON.parse(payload) as PendingEvent)
  const isStart = (event: PendingEvent) => event.EventType === EventType.ExecutionStarted
  return [...events.filter(isStart), ...events.filter((event) => !isStart(event))]
}

/** What Azure would wait on for ever, this host refuses: a function that does not exist, a child that cannot be. */
function refuse({ app, hub, settings }: EngineContext, instance: Instance, decision: Decision): string | undefined {
  if (
    decision.kind === 'activity' &&
    decision.name !== HTTP_ACTIVITY &&
    app.find(decision.name, 'activityTrigger') === undefined
  ) {
    return `the activity function '${decision.name}' doesn't exist, is disabled, or is not an activity function (on Azure the orchestration would wait for it for ever)`
  }
  if (decision.kind !== 'child') return undefined
  if (app.find(decision.name, 'orchestrationTrigger') === undefined) {
    return `the orchestrator function '${decision.name}' doesn't exist, is disabled, or is not an orchestrator function (on Azure the orchestration would wait for it for ever)`
  }
  const childId = decision.instanceId.toLowerCase()
  const parentId = instance.parent?.OrchestrationInstance.InstanceId.toLowerCase()
  if (childId.startsWith('@') || childId === instance.id.toLowerCase() || childId === parentId) {
    return `the sub-orchestration id '${decision.instanceId}' is refused: it begins with '@' or is its parent's`
  }
  const existing = hub.instance(decision.instanceId)
  if (
    existing !== undefined &&
    !isFinished(existing.status) &&
    settings.overridableExistingInstanceStates !== 'AnyState'
  ) {
    return `the sub-orchestration id '${decision.instanceId}' belongs to an instance in state ${existing.status}`
  }
  return undefined
}

/** One transaction: the messages go, the history grows, what was decided is sent. */
function commit(context: EngineContext, before: Instance, messages: readonly Message[], outcome: TurnOutcome): void {
  const { hub, clock, log } = context
  const now = clock.now()
  hub.transaction(() => {
    const current = hub.instance(before.id)
    hub.removeMessages(messages.map((message) => message.id))
    // Purged or replaced while its function ran: the turn was for nobody.
    if (current === undefined || current.execution !== before.execution || isFinished(current.status)) return
    for (const decision of outcome.decisions) send(context, before, decision, outcome.cancelledTimers)
    for (const id of outcome.cancelledTimers) hub.removeTimer(before.id, before.execution, id)
    const customStatus = outcome.customStatus ?? current.customStatus
    const next = outcome.continueAsNew
    if (next !== undefined) {
      const execution = executionId(context.random)
      hub.clearHistory(before.id)
      hub.putInstance({ ...current, execution, input: next.input, status: 'Running', customStatus, updated: now })
      const started = executionStarted({
        instanceId: before.id,
        executionId: execution,
        name: before.name,
        version: before.version,
        input: next.input,
        parent: before.parent,
      })
      hub.sendEvent(before.id, execution, started, now)
      for (const { Timestamp, ...event } of next.carried)
        hub.sendEvent(before.id, null, event, Math.min(Date.parse(Timestamp), now))
      return
    }
    hub.appendHistory(before.id, outcome.events)
    hub.putInstance({ ...current, status: outcome.status, output: outcome.output, customStatus, updated: now })
    if (!isFinished(outcome.status)) return
    hub.removeMessagesTo('orchestration', before.id)
    tellParent(context, before, outcome)
  })
  for (const warning of outcome.warnings)
    log({ level: 'warning', category: 'host', message: `orchestration ${before.name} (${before.id}): ${warning}` })
}

function send(context: EngineContext, instance: Instance, decision: Decision, cancelled: readonly number[]): void {
  const { hub, clock } = context
  const visibleAt = clock.now()
  const { id: target, execution } = instance
  switch (decision.kind) {
    case 'activity': {
      const payload = {
        taskId: decision.id,
        name: decision.name,
        ...(decision.input === undefined ? {} : { input: decision.input }),
      }
      hub.send({
        kind: 'activity',
        target,
        execution,
        taskId: decision.id,
        visibleAt,
        payload: JSON.stringify(payload),
      })
      return
    }
    case 'timer': {
      if (cancelled.includes(decision.id)) return
      const fired: PendingEvent = {
        EventType: EventType.TimerFired,
        EventId: -1,
        TimerId: decision.id,
        FireAt: new Date(decision.fireAt).toISOString(),
      }
      hub.sendEvent(target, execution, fired, Math.max(decision.fireAt, visibleAt))
      return
    }
    case 'child':
      createInstance(context, {
        id: decision.instanceId,
        name: decision.name,
        version: decision.version,
        input: decision.input,
        parent: {
          Name: instance.name,
          OrchestrationInstance: { InstanceId: target, ExecutionId: execution },
          TaskScheduleId: decision.id,
          Version: instance.version,
        },
      })
      return
    case 'send':
      hub.send({
        kind: 'entity',
        target: decision.target,
        execution: null,
        taskId: null,
        visibleAt,
        payload: decision.input,
      })
  }
}

function tellParent({ hub, clock }: EngineContext, child: Instance, outcome: TurnOutcome): void {
  if (child.parent === null) return
  const { OrchestrationInstance: parent, TaskScheduleId } = child.parent
  const common = { EventId: -1, TaskScheduledId: TaskScheduleId }
  const event: PendingEvent =
    outcome.status === 'Completed'
      ? { EventType: EventType.SubOrchestrationInstanceCompleted, ...common, Result: outcome.output }
      : {
          EventType: EventType.SubOrchestrationInstanceFailed,
          ...common,
          Reason: outcome.output ?? '',
          // A terminated child has no details: the library cannot read that, and the parent fails, as on Azure.
          Details: outcome.failure === undefined ? null : `Message: ${outcome.failure.error}, StackTrace: `,
          FailureDetails: outcome.failure?.details ?? null,
        }
  hub.sendEvent(parent.InstanceId, parent.ExecutionId, event, clock.now())
}
