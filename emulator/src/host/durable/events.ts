/**
 * The history of an orchestration, as the Durable extension writes it: numeric types, PascalCase members, JSON texts
 * inside (DurableTask.Core HistoryEvent, serialised for out-of-process workers).
 */
export const EventType = {
  ExecutionStarted: 0,
  ExecutionCompleted: 1,
  ExecutionTerminated: 3,
  TaskScheduled: 4,
  TaskCompleted: 5,
  TaskFailed: 6,
  SubOrchestrationInstanceCreated: 7,
  SubOrchestrationInstanceCompleted: 8,
  SubOrchestrationInstanceFailed: 9,
  TimerCreated: 10,
  TimerFired: 11,
  OrchestratorStarted: 12,
  OrchestratorCompleted: 13,
  EventSent: 14,
  EventRaised: 15,
  ExecutionSuspended: 19,
  ExecutionResumed: 20,
} as const

export type EventTypeNumber = (typeof EventType)[keyof typeof EventType]

export interface HistoryEvent {
  EventType: EventTypeNumber
  /** -1 unless the event schedules something. */
  EventId: number
  /** ISO 8601, UTC. */
  Timestamp: string
  TaskScheduledId?: number
  TimerId?: number
  FireAt?: string
  Name?: string
  Version?: string
  InstanceId?: string
  /** JSON text, or a reason in words. */
  Input?: string | null
  Result?: string | null
  Reason?: string
  Details?: string | null
  FailureDetails?: FailureDetails | null
  OrchestrationStatus?: number
  OrchestrationInstance?: { InstanceId: string; ExecutionId: string }
  ParentInstance?: ParentInstance | null
  Tags?: null
  Correlation?: null
  ScheduledStartTime?: null
  Generation?: number
}

/** An event that has not been received yet: it gets its time in the turn that takes it. */
export type PendingEvent = Omit<HistoryEvent, 'Timestamp'>

export interface ParentInstance {
  Name: string
  OrchestrationInstance: { InstanceId: string; ExecutionId: string }
  TaskScheduleId: number
  Version: string
}

export interface FailureDetails {
  ErrorType: string
  ErrorMessage: string
  StackTrace?: string
  IsNonRetriable?: boolean
  Properties?: Record<string, unknown>
  InnerFailure?: FailureDetails
}

export type RuntimeStatus =
  | 'Running'
  | 'Completed'
  | 'ContinuedAsNew'
  | 'Failed'
  | 'Canceled'
  | 'Terminated'
  | 'Pending'
  | 'Suspended'

/** The numbers of DurableTask.Core's OrchestrationStatus. */
export const STATUS_NUMBER: Readonly<Record<RuntimeStatus, number>> = {
  Running: 0,
  Completed: 1,
  ContinuedAsNew: 2,
  Failed: 3,
  Canceled: 4,
  Terminated: 5,
  Pending: 6,
  Suspended: 7,
}

export function isFinished(status: RuntimeStatus): boolean {
  return status === 'Completed' || status === 'Failed' || status === 'Terminated' || status === 'Canceled'
}

/** The members of the event that starts an execution. */
export function executionStarted(options: {
  readonly instanceId: string
  readonly executionId: string
  readonly name: string
  readonly version: string
  readonly input: string | null
  readonly parent: ParentInstance | null
}): PendingEvent {
  return {
    EventType: EventType.ExecutionStarted,
    EventId: -1,
    OrchestrationInstance: { InstanceId: options.instanceId, ExecutionId: options.executionId },
    ParentInstance: options.parent,
    Name: options.name,
    Version: options.version,
    Input: options.input,
    Tags: null,
    Correlation: null,
    ScheduledStartTime: null,
    Generation: 0,
  }
}

/** Whether an event is the result of something the orchestration scheduled (it belongs to one execution only). */
export function isCompletion(type: EventTypeNumber): boolean {
  return (
    type === EventType.TaskCompleted ||
    type === EventType.TaskFailed ||
    type === EventType.SubOrchestrationInstanceCompleted ||
    type === EventType.SubOrchestrationInstanceFailed ||
    type === EventType.TimerFired
  )
}
