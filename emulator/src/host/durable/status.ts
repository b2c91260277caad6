import { EventType, type HistoryEvent, type RuntimeStatus, STATUS_NUMBER } from './events.ts'
import type { Instance } from './hub.ts'

/** What `GET instances/{id}` answers. Times have whole seconds. */
export interface StatusBody {
  readonly name: string
  readonly instanceId: string
  readonly runtimeStatus: RuntimeStatus
  readonly input: unknown
  readonly customStatus: unknown
  readonly output: unknown
  readonly createdTime: string
  readonly lastUpdatedTime: string
  readonly historyEvents?: readonly Record<string, unknown>[]
}

export interface StatusOptions {
  readonly showInput: boolean
  /** The instance's history, when it is asked for. */
  readonly history?: readonly HistoryEvent[]
  readonly showHistoryOutput?: boolean
}

export function statusBody(instance: Instance, options: StatusOptions): StatusBody {
  return {
    name: instance.name,
    instanceId: instance.id,
    runtimeStatus: instance.status,
    input: options.showInput ? parsed(instance.input) : null,
    customStatus: parsed(instance.customStatus),
    output: parsed(instance.output),
    createdTime: wholeSeconds(instance.created),
    lastUpdatedTime: wholeSeconds(instance.updated),
    ...(options.history === undefined || instance.status === 'Pending'
      ? {}
      : { historyEvents: shownHistory(options.history, options.showInput, options.showHistoryOutput === true) }),
  }
}

/** As JSON where it is JSON, else as the text it is. */
function parsed(text: string | null): unknown {
  if (text === null) return null
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text
  }
}

export function wholeSeconds(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}

const NAME_OF = new Map<number, string>(Object.entries(EventType).map(([name, number]) => [number, name]))

/** The history for people: names instead of numbers, what was scheduled merged into what came of it. */
function shownHistory(
  history: readonly HistoryEvent[],
  showInput: boolean,
  showOutput: boolean,
): Record<string, unknown>[] {
  const scheduled = new Map(history.filter(({ EventId }) => EventId >= 0).map((event) => [event.EventId, event]))
  const merged = new Set<HistoryEvent>()
  const rows: [HistoryEvent, Record<string, unknown>][] = []
  for (const event of history) {
    if (event.EventType === EventType.OrchestratorStarted || event.EventType === EventType.OrchestratorCompleted)
      continue
    const { EventId: _id, Version: _version, TaskScheduledId, TimerId, ...kept } = event
    const row: Record<string, unknown> = { ...kept, EventType: NAME_OF.get(event.EventType) ?? String(event.EventType) }
    const origin = scheduled.get(TaskScheduledId ?? TimerId ?? -1)
    if (origin !== undefined) {
      merged.add(origin)
      row.ScheduledTime = origin.Timestamp
      if (origin.Name !== undefined) row.FunctionName = origin.Name
      if (origin.Input !== undefined && origin.Input !== null) row.Input = parsed(origin.Input)
    }
    if (event.EventType === EventType.ExecutionStarted) {
      row.FunctionName = event.Name
      for (const name of ['Name', 'OrchestrationInstance', 'ParentInstance', 'Tags']) delete row[name]
    }
    if (event.EventType === EventType.ExecutionCompleted) {
      row.OrchestrationStatus = Object.entries(STATUS_NUMBER).find(
        ([, number]) => number === event.OrchestrationStatus,
      )?.[0]
    }
    if ('Result' in row) {
      if (showOutput) row.Result = parsed(event.Result ?? null)
      else delete row.Result
    }
    if (!showInput) delete row.Input
    rows.push([event, row])
  }
  return rows.filter(([event]) => !merged.has(event)).map(([, row]) => row)
}
