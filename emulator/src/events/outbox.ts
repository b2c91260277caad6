import type { Store } from '../core/index.ts'
import type { EventGridEvent } from './event.ts'

/** An event on its way to the webhook. Times in milliseconds since the epoch. */
export interface Delivery {
  readonly event: EventGridEvent
  readonly publishedMs: number
  /** How often it was tried. */
  readonly attempts: number
  /** Not to be tried before. */
  readonly notBeforeMs: number
}

/** The events that happened, and those that still have to be delivered, in the order in which they happened. */
export interface Outbox {
  /** In the transaction of whoever calls, if there is one. */
  add(event: EventGridEvent, nowMs: number, deliver: boolean): void
  /** The newest events, oldest first; `after` a number that was given: those that came later. */
  recent(after?: number): { readonly seq: number; readonly event: EventGridEvent }[]
  /** Numbers and deliveries of what waits, after the number given, at most so many. */
  waiting(after: number, limit: number): { readonly seq: number; readonly delivery: Delivery }[]
  get(seq: number): Delivery | undefined
  put(seq: number, delivery: Delivery): void
  remove(seq: number): void
}

/** How many events can be looked at afterwards. */
const KEPT = 1000

interface Numbered<T> {
  readonly seq: number
  readonly item: T
}

export function createOutbox(store: Store): Outbox {
  const log = store.collection<Numbered<EventGridEvent>>('events.log')
  const outbox = store.collection<Numbered<Delivery>>('events.outbox')
  const next = store.collection<number>('events.next')
  return {
    add: (event, nowMs, deliver) =>
      store.transaction(() => {
        const seq = next.get('') ?? 1
        next.put('', seq + 1)
        log.put(keyOf(seq), { seq, item: event })
        if (seq > KEPT) log.delete(keyOf(seq - KEPT))
        if (!deliver) return
        outbox.put(keyOf(seq), { seq, item: { event, publishedMs: nowMs, attempts: 0, notBeforeMs: nowMs } })
      }),
    recent: (after = 0) => log.page('', keyOf(after + 1), KEPT).map(({ seq, item }) => ({ seq, event: item })),
    waiting: (after, limit) =>
      outbox.page('', keyOf(after + 1), limit).map(({ seq, item }) => ({ seq, delivery: item })),
    get: (seq) => outbox.get(keyOf(seq))?.item,
    put: (seq, item) => outbox.put(keyOf(seq), { seq, item }),
    remove: (seq) => void outbox.delete(keyOf(seq)),
  }
}

const keyOf = (seq: number): string => `${seq}`.padStart(16, '0')
