import { EventType, type HistoryEvent } from './events.ts'

/** Something an orchestration scheduled, under its sequence id. */
export type Decision =
  | { readonly id: number; readonly kind: 'activity'; readonly name: string; readonly input: unknown }
  | { readonly id: number; readonly kind: 'timer'; readonly fireAt: number }
  | {
      readonly id: number
      readonly kind: 'child'
      readonly name: string
      readonly instanceId: string
      readonly version: string
      /** JSON text. */
      readonly input: string | null
    }
  | {
      readonly id: number
      readonly kind: 'send'
      readonly name: string
      readonly target: string
      /** JSON text of the message. */
      readonly input: string
    }

/** The event that a decision leaves in the history. */
export function scheduledEvent(decision: Decision, timestamp: string, storeInputs: boolean): HistoryEvent {
  const common = { EventId: decision.id, Timestamp: timestamp }
  switch (decision.kind) {
    case 'activity':
      return {
        EventType: EventType.TaskScheduled,
        ...common,
        Name: decision.name,
        Version: '',
        Input: storeInputs && decision.input !== undefined ? JSON.stringify([decision.input]) : null,
        Tags: null,
      }
    case 'timer':
      return { EventType: EventType.TimerCreated, ...common, FireAt: new Date(decision.fireAt).toISOString() }
    case 'child':
      return {
        EventType: EventType.SubOrchestrationInstanceCreated,
        ...common,
        Name: decision.name,
        Version: decision.version,
        InstanceId: decision.instanceId,
        Input: decision.input,
      }
    case 'send':
      return {
        EventType: EventType.EventSent,
        ...common,
        InstanceId: decision.target,
        Name: decision.name,
        Input: decision.input,
      }
  }
}

const KIND_OF: Readonly<Partial<Record<number, Decision['kind']>>> = {
  [EventType.TaskScheduled]: 'activity',
  [EventType.TimerCreated]: 'timer',
  [EventType.SubOrchestrationInstanceCreated]: 'child',
  [EventType.EventSent]: 'send',
}

/** Whether this event of the history records something that was scheduled. */
export function recordsDecision(event: HistoryEvent): boolean {
  return KIND_OF[event.EventType] !== undefined
}

/**
 * Compares what an earlier run scheduled with what this run scheduled under the same id: kind, name and target; inputs
 * and times are not compared (DurableTask.Core, TaskOrchestrationContext). Returns what differs, in words.
 */
export function differenceFrom(event: HistoryEvent, decision: Decision | undefined): string | undefined {
  const kind = KIND_OF[event.EventType]
  const earlier = `a previous execution of this orchestration scheduled ${described(kind, event.Name, event.InstanceId)} with sequence ID ${event.EventId}`
  if (decision === undefined)
    return `${earlier}, but the current execution has not scheduled anything under that ID yet`
  const now = `the current execution scheduled ${described(decision.kind, 'name' in decision ? decision.name : undefined, 'target' in decision ? decision.target : undefined)} under it`
  if (decision.kind !== kind) return `${earlier}, but ${now}`
  if (decision.kind === 'timer') return undefined
  if (decision.name.toLowerCase() !== (event.Name ?? '').toLowerCase()) return `${earlier}, but ${now}`
  if (decision.kind === 'send' && decision.target !== event.InstanceId) return `${earlier}, but ${now}`
  return undefined
}

function described(kind: Decision['kind'] | undefined, name: string | undefined, target: string | undefined): string {
  switch (kind) {
    case 'activity':
      return `an activity task "${name}"`
    case 'timer':
      return 'a timer'
    case 'child':
      return `a sub-orchestration "${name}"`
    default:
      return `an event "${name}" to "${target}"`
  }
}
