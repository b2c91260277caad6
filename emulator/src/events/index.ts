import type { EmulatorContext, Service } from '../core/index.ts'
import { watchAccessPolicies } from './access-policies.ts'
import { createDeliveries, type Deliveries } from './delivery.ts'
import { type EventFacts, type EventGridEvent, eventOf } from './event.ts'
import { createOutbox } from './outbox.ts'
import { VALIDATION_HOST } from './subscription.ts'
import { webhookUrl } from './webhook-url.ts'

/** What became known of vaults and their keys, for code in the same process: needs no webhook. */
export interface EventFeed extends AsyncIterable<EventGridEvent> {
  /** The last thousand, oldest first. */
  list(): readonly EventGridEvent[]
  /** Resolves once nothing is on its way to the webhook: all was delivered, or waits to be tried again. */
  settled(): Promise<void>
  /** Those of `list()`, then each as it comes, until the emulator closes. */
  [Symbol.asyncIterator](): AsyncIterator<EventGridEvent>
}

export interface Events extends EventFeed, Disposable {
  /** Records an event. Within a transaction of the store it is kept and delivered with it, or not at all. */
  publish(facts: EventFacts): void
  readonly service: Service
}

const made = new WeakMap<EmulatorContext, Events>()

/** The events of one emulator: the same, however often they are asked for. @throws SettingsError */
export function eventsOf(ctx: EmulatorContext): Events {
  const events = made.get(ctx) ?? createEvents(ctx)
  made.set(ctx, events)
  return events
}

function createEvents(ctx: EmulatorContext): Events {
  const { store, clock, random, settings } = ctx
  const outbox = createOutbox(store)
  const cleanup = new DisposableStack()
  const closing = new AbortController()
  const waiting = new Set<() => void>()
  let deliveries: Deliveries | undefined
  if (settings.eventWebhook !== undefined) {
    deliveries = cleanup.use(createDeliveries(ctx, outbox, webhookUrl(settings.eventWebhook)))
  }
  const wake = (): void => {
    deliveries?.wake()
    wakeAll(waiting)
  }
  cleanup.use(store.watch(['events.log'], wake))
  const publish = (facts: EventFacts): void => {
    const now = clock.now()
    outbox.add(eventOf(facts, random.uuid(), now), now, deliveries !== undefined)
  }
  cleanup.use(watchAccessPolicies(ctx, publish))

  return {
    publish,
    list: () => outbox.recent().map(({ event }) => event),
    settled: async () => await deliveries?.settled(),
    async *[Symbol.asyncIterator]() {
      let after = 0
      while (!closing.signal.aborted) {
        const news = outbox.recent(after)
        for (const { seq, event } of news) {
          after = seq
          yield event
        }
        if (news.length === 0) await new Promise<void>((tell) => waiting.add(tell))
      }
    },
    service: validationService(() => deliveries),
    [Symbol.dispose]() {
      closing.abort()
      cleanup.dispose()
      wakeAll(waiting)
    },
  }
}

function wakeAll(waiting: Set<() => void>): void {
  for (const tell of waiting) tell()
  waiting.clear()
}

/** Where a person, or a program that cannot give the code back at once, confirms that the webhook wants the events. */
function validationService(deliveries: () => Deliveries | undefined): Service {
  return {
    name: 'eventgrid',
    hosts: [VALIDATION_HOST],
    handle(request) {
      const { pathname, searchParams } = new URL(request.url)
      const asked = request.method === 'GET' && /^\/eventsubscriptions\/skerry\/validate\/?$/i.test(pathname)
      if (!asked)
        return Response.json({ error: { code: 'NotFound', message: 'There is no such resource.' } }, { status: 404 })
      const confirmed = deliveries()?.subscription.confirm(
        searchParams.get('id') ?? '',
        searchParams.get('token') ?? '',
      )
      return confirmed
        ? new Response('Webhook successfully validated as a subscription endpoint.', { status: 200 })
        : Response.json(
            { error: { code: 'BadRequest', message: 'The validation URL is not, or no longer, valid.' } },
            { status: 400 },
          )
    },
  }
}

export {
  accessPolicyFacts,
  type EventFacts,
  type EventGridEvent,
  type KeyVaultEventData,
  keyEventFacts,
} from './event.ts'
