import { InvocationFailed } from '../app/app-thread.ts'
import { messageOf } from '../errors.ts'
import { type EntityRequest, parseSchedulerId, schedulerId } from './entity-messages.ts'
import { EventType, type PendingEvent } from './events.ts'
import { redact } from './failure.ts'
import type { EntityRow, Message } from './hub.ts'
import { type EngineContext, type EngineWorker, leftForLater } from './worker.ts'

interface Delivery {
  readonly message: Message
  readonly request: EntityRequest
}

interface EntityAnswer {
  readonly entityExists: boolean
  readonly entityState?: string | null
  readonly results: readonly { readonly isError: boolean; readonly result?: string | null }[]
  readonly signals: readonly {
    readonly target: { name: string; key: string }
    readonly name: string
    readonly input?: string
  }[]
}

/** Entity work: one batch at a time per entity. A lock request ends a batch; under a lock only its holder is served. */
export function createEntityWorker(context: EngineContext): EngineWorker {
  const { hub, settings } = context
  return {
    limit: settings.maxConcurrentEntityFunctions,
    due: (now) =>
      hub.dueTargets('entity', now).flatMap((key) => {
        const deliveries = takeable(context, key, now)
        return deliveries.length === 0 ? [] : [{ key, run: () => runBatch(context, key, deliveries) }]
      }),
  }
}

/** What can be served now: one lock or release message, or the operations before the next lock request. */
function takeable({ hub, settings }: EngineContext, id: string, now: number): Delivery[] {
  const lock = hub.entity(id)?.lockedBy ?? null
  const all = hub
    .inbox('entity', id, now)
    .map((message): Delivery => ({ message, request: JSON.parse(message.payload) as EntityRequest }))
  const open = lock === null ? all : all.filter(({ request }) => request.parent === lock.parent)
  const first = open[0]
  if (first === undefined || !isOperation(first.request)) return open.slice(0, 1)
  const end = open.findIndex(({ request }) => !isOperation(request))
  return open.slice(0, Math.min(end < 0 ? open.length : end, settings.maxEntityOperationBatchSize))
}

function isOperation(request: EntityRequest): boolean {
  return typeof request.op === 'string'
}

async function runBatch(context: EngineContext, id: string, deliveries: readonly Delivery[]): Promise<void> {
  const { hub, clock } = context
  const before: EntityRow = hub.entity(id) ?? {
    id,
    present: false,
    state: null,
    lockedBy: null,
    lastOperation: clock.now(),
  }
  const [first] = deliveries as readonly [Delivery, ...Delivery[]]
  if (!isOperation(first.request)) return lockOrRelease(context, before, first)
  let answer: EntityAnswer
  try {
    answer = await callEntity(context, before, deliveries)
  } catch (error) {
    const attempted = deliveries.map(({ message }) => message)
    if (!(error instanceof InvocationFailed) && leftForLater(context, error, attempted)) return
    const text = JSON.stringify(redact(messageOf(error)))
    context.log({ level: 'error', category: 'host', message: `entity ${id} failed: ${text}` })
    answer = {
      entityExists: before.present,
      entityState: before.state,
      results: deliveries.map(() => ({ isError: true, result: text })),
      signals: [],
    }
  }
  hub.transaction(() => {
    const now = clock.now()
    hub.removeMessages(deliveries.map(({ message }) => message.id))
    const state = answer.entityState ?? null
    const present = answer.entityExists
    if (!present && before.lockedBy === null) hub.deleteEntity(id)
    else hub.putEntity({ ...before, present, state: present ? state : null, lastOperation: now })
    for (const [index, { request }] of deliveries.entries()) {
      const result = answer.results[index]
      if (request.signal === true || request.parent === undefined) continue
      answerCaller(context, request, {
        result: result?.result ?? null,
        ...(result?.isError ? { exceptionType: 'Error' } : {}),
      })
    }
    for (const signal of answer.signals) {
      const request: EntityRequest = {
        op: signal.name,
        signal: true,
        input: signal.input ?? null,
        id: context.random.uuid(),
      }
      hub.send({
        kind: 'entity',
        target: schedulerId(signal.target),
        execution: null,
        taskId: null,
        visibleAt: now,
        payload: JSON.stringify(request),
      })
    }
  })
}

async function callEntity(
  { app }: EngineContext,
  entity: EntityRow,
  deliveries: readonly Delivery[],
): Promise<EntityAnswer> {
  const self = parseSchedulerId(entity.id)
  const metadata = app.find(self.name, 'entityTrigger')
  if (metadata === undefined)
    throw new InvocationFailed({
      message: `the entity function '${self.name}' doesn't exist, is disabled, or is not an entity function`,
      stackTrace: '',
    })
  const input = {
    self,
    exists: entity.present,
    state: entity.state,
    batch: deliveries.map(({ request }) => ({
      name: request.op,
      input: request.input ?? null,
      isSignal: request.signal === true,
    })),
  }
  const response = await app.invoke({ metadata, triggerType: 'entityTrigger', data: { string: JSON.stringify(input) } })
  return JSON.parse(response.returnValue?.json ?? 'null') as EntityAnswer
}

/** A lock visits its entities in order: each takes it and sends the request on; the last one answers. */
function lockOrRelease(context: EngineContext, entity: EntityRow, { message, request }: Delivery): void {
  const { hub, clock } = context
  hub.transaction(() => {
    hub.removeMessages([message.id])
    const lockset = request.lockset
    if (lockset === undefined) {
      if (entity.lockedBy?.id !== request.id) return
      if (entity.present) hub.putEntity({ ...entity, lockedBy: null })
      else hub.deleteEntity(entity.id)
      return
    }
    hub.putEntity({ ...entity, lockedBy: { parent: request.parent as string, id: request.id } })
    const pos = (request.pos ?? 0) + 1
    const next = lockset[pos]
    if (next === undefined)
      return answerCaller(context, request, { result: JSON.stringify('Lock Acquisition Completed') })
    const payload = JSON.stringify({ ...request, pos })
    hub.send({
      kind: 'entity',
      target: schedulerId(next),
      execution: null,
      taskId: null,
      visibleAt: clock.now(),
      payload,
    })
  })
}

function answerCaller(
  { hub, clock }: EngineContext,
  request: EntityRequest,
  answer: { result: string | null; exceptionType?: string },
): void {
  const event: PendingEvent = {
    EventType: EventType.EventRaised,
    EventId: -1,
    Name: request.id,
    Input: JSON.stringify(answer),
  }
  hub.sendEvent(request.parent as string, request.parentExecution ?? null, event, clock.now())
}
