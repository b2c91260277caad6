import { InvocationFailed } from '../app/app-thread.ts'
import type { RpcTypedData } from '../app/rpc.ts'
import { messageOf } from '../errors.ts'
import { HTTP_ACTIVITY, type HttpAction, inputText } from './actions.ts'
import { EventType, type PendingEvent } from './events.ts'
import { activityFailure } from './failure.ts'
import type { ActivityPayload, Message } from './hub.ts'
import { type EngineContext, type EngineWorker, leftForLater } from './worker.ts'

/**
 * Activities, delivered at least once: the message stays until the transaction that removes it and sends the result, so
 * that one whose process died in the middle is run again.
 */
export function createActivityWorker(context: EngineContext): EngineWorker {
  return {
    limit: context.settings.maxConcurrentActivityFunctions,
    due: (now) =>
      context.hub
        .due('activity', now)
        .map((message) => ({ key: `activity ${message.id}`, run: () => runActivity(context, message) })),
  }
}

async function runActivity(context: EngineContext, message: Message): Promise<void> {
  const { hub, clock } = context
  const { taskId, name, input } = JSON.parse(message.payload) as ActivityPayload
  let event: PendingEvent
  try {
    const result =
      name === HTTP_ACTIVITY
        ? await requestHttp(context, input as HttpAction)
        : await call(context, message, name, input)
    event = { EventType: EventType.TaskCompleted, EventId: -1, TaskScheduledId: taskId, Result: result }
  } catch (error) {
    const failed = error instanceof InvocationFailed
    if (!failed && leftForLater(context, error, [message])) return
    const failure = failed ? error.failure : { message: messageOf(error), stackTrace: '' }
    event = { EventType: EventType.TaskFailed, EventId: -1, TaskScheduledId: taskId, ...activityFailure(name, failure) }
    context.log({ level: 'warning', category: 'host', functionName: name, message: event.Reason as string })
  }
  hub.transaction(() => {
    // Gone: its instance was purged, or another delivery of it won.
    if (!hub.hasMessage(message.id)) return
    hub.removeMessages([message.id])
    hub.sendEvent(message.target, message.execution, event, clock.now())
  })
}

async function call({ app }: EngineContext, message: Message, name: string, input: unknown): Promise<string | null> {
  const metadata = app.find(name, 'activityTrigger')
  if (metadata === undefined)
    throw new InvocationFailed({ message: `the activity function '${name}' doesn't exist`, stackTrace: '' })
  const text = inputText(input)
  const data: RpcTypedData = text === undefined ? {} : { string: text }
  const response = await app.invoke({
    metadata,
    triggerType: 'activityTrigger',
    data,
    triggerMetadata: { instanceId: { string: message.target }, ...(text === undefined ? {} : { data }) },
  })
  return resultText(response.returnValue)
}

/** What a function returned, as the JSON text that the history keeps. */
export function resultText(value: RpcTypedData | null | undefined): string | null {
  if (value === null || value === undefined) return null
  if (typeof value.string === 'string') return JSON.stringify(value.string)
  if (typeof value.json === 'string') return value.json
  if (typeof value.int === 'number') return JSON.stringify(value.int)
  if (typeof value.double === 'number') return JSON.stringify(value.double)
  if (value.bytes) return JSON.stringify(Buffer.from(value.bytes).toString('base64'))
  return null
}

async function requestHttp({ app }: EngineContext, request: HttpAction): Promise<string> {
  if (request.tokenSource !== undefined && request.tokenSource !== null) {
    throw new InvocationFailed({
      message: 'callHttp with a tokenSource is not covered by this host: it has no managed identity of its own',
      stackTrace: '',
    })
  }
  return JSON.stringify(
    await app.http({
      method: request.method,
      uri: request.uri,
      ...(request.content === undefined ? {} : { content: request.content }),
      ...(request.headers === undefined ? {} : { headers: request.headers }),
    }),
  )
}
