import type { EmulatorContext } from '../core/index.ts'
import type { Delivery, Outbox } from './outbox.ts'
import { post } from './post.ts'
import { judge } from './retry.ts'
import { createSubscription, type Subscription } from './subscription.ts'
import { shownUrl } from './webhook-url.ts'

/**
 * Brings events to the webhook, each at least once: what is in the outbox stays there until the webhook has taken it, so
 * that an end in between loses nothing, and the same event may come twice. Events about one key come in their order, one
 * after the other; those about others do not wait for them. Event Grid promises less.
 */
export interface Deliveries extends Disposable {
  readonly subscription: Subscription
  /** There may be something new in the outbox. */
  wake(): void
  /** Resolves once nothing is on its way: what failed waits for its time. */
  settled(): Promise<void>
}

/** How many events are on their way at a time. */
const MOST_AT_ONCE = 8
const PAGE = 256

export function createDeliveries(ctx: EmulatorContext, outbox: Outbox, url: URL): Deliveries {
  const { clock, journal } = ctx
  const closing = new AbortController()
  /** By what they are about: the numbers of the events that wait, the first of which is tried or waits to be. */
  const lanes = new Map<string, number[]>()
  const ready: string[] = []
  const paused = new Map<string, number>()
  const flights = new Set<Promise<void>>()
  let loaded = 0
  let alarm: { readonly atMs: number; readonly handle: Disposable } | undefined

  const load = (): void => {
    for (;;) {
      const page = outbox.waiting(loaded, PAGE)
      for (const { seq, delivery } of page) enter(seq, delivery)
      if (page.length < PAGE) return
    }
  }
  const enter = (seq: number, { event, notBeforeMs }: Delivery): void => {
    loaded = seq
    const name = `${event.topic}\n${event.subject}`
    const lane = lanes.get(name)
    if (lane !== undefined) {
      lane.push(seq)
      return
    }
    lanes.set(name, [seq])
    if (notBeforeMs > clock.now()) pause(name, notBeforeMs)
    else ready.push(name)
  }

  const pause = (name: string, untilMs: number): void => {
    paused.set(name, untilMs)
    if (alarm !== undefined && alarm.atMs <= untilMs) return
    alarm?.handle[Symbol.dispose]()
    alarm = { atMs: untilMs, handle: clock.at(untilMs, resume) }
  }
  const resume = (): void => {
    alarm = undefined
    const now = clock.now()
    const due = [...paused].filter(([, untilMs]) => untilMs <= now).sort(([, a], [, b]) => a - b)
    for (const [name] of due) {
      paused.delete(name)
      ready.push(name)
    }
    if (paused.size > 0) {
      const atMs = [...paused.values()].reduce((first, untilMs) => Math.min(first, untilMs))
      alarm = { atMs, handle: clock.at(atMs, resume) }
    }
    pump()
  }

  const pump = (): void => {
    if (!subscription.validated || closing.signal.aborted) return
    while (flights.size < MOST_AT_ONCE) {
      const name = ready.shift()
      if (name === undefined) return
      const flight = deliverFirst(name).finally(() => {
        flights.delete(flight)
        pump()
      })
      flights.add(flight)
    }
  }

  const deliverFirst = async (name: string): Promise<void> => {
    const lane = lanes.get(name)!
    const seq = lane[0]!
    const delivery = outbox.get(seq)
    if (delivery !== undefined) {
      const { event, attempts, publishedMs } = delivery
      const { outcome } = await post(url, event, 'Notification', attempts, closing.signal)
      if (closing.signal.aborted) return
      const now = clock.now()
      const verdict = judge(outcome, attempts + 1, publishedMs, now)
      if (verdict.what === 'again') {
        const notBeforeMs = now + verdict.afterMs
        outbox.put(seq, { ...delivery, attempts: attempts + 1, notBeforeMs })
        if (attempts === 0) note(delivery, `was not taken (${outcome ?? 'no answer'}); it is tried again`)
        pause(name, notBeforeMs)
        return
      }
      outbox.remove(seq)
      if (verdict.what === 'dropped') note(delivery, `was dropped: ${verdict.why}`)
    }
    lane.shift()
    if (lane.length > 0) ready.push(name)
    else lanes.delete(name)
  }

  const note = ({ event }: Delivery, what: string): void => {
    journal.write({
      service: 'eventgrid',
      operation: 'deliver',
      outcome: 'failed',
      subject: shownUrl(url),
      summary: `${event.eventType} about ${event.subject} ${what}.`,
      details: { eventId: event.id },
    })
  }

  const wake = (): void => {
    load()
    pump()
  }
  const subscription = createSubscription(ctx, url, wake)

  return {
    subscription,
    wake,
    async settled() {
      while (subscription.attempt !== undefined || flights.size > 0) {
        await Promise.all([subscription.attempt, ...flights])
      }
    },
    [Symbol.dispose]() {
      closing.abort()
      subscription[Symbol.dispose]()
      alarm?.handle[Symbol.dispose]()
    },
  }
}
