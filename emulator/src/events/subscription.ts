import type { EmulatorContext } from '../core/index.ts'
import { type EventGridEvent, eventTime } from './event.ts'
import { post, SUBSCRIPTION_NAME } from './post.ts'
import { shownUrl } from './webhook-url.ts'

/*
 * The handshake of "Endpoint validation with Event Grid event schema": nothing is delivered to an endpoint that did not
 * say that it wants it, by giving the code back at once or by a GET of the validation URL within five minutes.
 *
 * On Azure a handshake that fails fails the creation of the subscription. Here the subscription is there from the start
 * and the endpoint may come up later, so that the handshake is tried again and events wait meanwhile.
 */

export interface Subscription extends Disposable {
  readonly validated: boolean
  /** The attempt under way, if there is one. */
  readonly attempt: Promise<void> | undefined
  /** The GET of the validation URL; whether it was that of the last handshake. */
  confirm(code: string, token: string): boolean
}

const SECOND = 1000
const MINUTE = 60 * SECOND
const DELAYS = [5 * SECOND, 10 * SECOND, 30 * SECOND, MINUTE, 5 * MINUTE] as const
/** How long the validation URL is good for. */
const MANUAL_MS = 5 * MINUTE

interface Handshake {
  readonly code: string
  readonly token: string
  readonly untilMs: number
}

export function createSubscription(ctx: EmulatorContext, url: URL, onValidated: () => void): Subscription {
  const { clock, random, journal, seed } = ctx
  const closing = new AbortController()
  let validated = false
  let manual: Handshake | undefined
  let attempt: Promise<void> | undefined
  let failures = 0
  let next: Disposable | undefined

  const handshake = async (): Promise<void> => {
    const code = random.uuid().toUpperCase()
    const token = random.bytes(32).toString('base64url')
    const time = eventTime(clock.now())
    const query = new URLSearchParams({ id: code, t: time, apiVersion: '2022-06-15', token })
    const event: EventGridEvent<{ readonly validationCode: string; readonly validationUrl: string }> = {
      id: random.uuid(),
      topic: `/subscriptions/${seed.subscriptionId}`,
      subject: '',
      data: {
        validationCode: code,
        validationUrl: `https://${VALIDATION_HOST}/eventsubscriptions/${SUBSCRIPTION_NAME.toLowerCase()}/validate?${query}`,
      },
      eventType: 'Microsoft.EventGrid.SubscriptionValidationEvent',
      dataVersion: '1',
      metadataVersion: '1',
      eventTime: time,
    }
    // A program may ask for the validation URL before it answers.
    manual = { code, token, untilMs: clock.now() + MANUAL_MS }
    const answer = await post(url, event, 'SubscriptionValidation', 0, closing.signal)
    if (closing.signal.aborted || validated) return
    if (answer.outcome === 200 && responseOf(answer.text) === code) return succeed()
    const accepted = answer.outcome === 200
    if (!accepted) manual = undefined
    failures += 1
    if (failures === 1) noteFailure(answer.outcome)
    const delay = accepted ? MANUAL_MS : DELAYS[Math.min(failures, DELAYS.length) - 1]!
    next = clock.at(clock.now() + delay, start)
  }
  const start = (): void => {
    attempt = handshake().finally(() => {
      attempt = undefined
    })
  }
  const succeed = (): void => {
    validated = true
    manual = undefined
    next?.[Symbol.dispose]()
    journal.write({
      service: 'eventgrid',
      operation: 'validate',
      outcome: 'done',
      subject: shownUrl(url),
      summary: 'The webhook takes part: events are delivered to it from now on.',
    })
    onValidated()
  }
  const noteFailure = (outcome: number | undefined): void => {
    journal.write({
      service: 'eventgrid',
      operation: 'validate',
      outcome: 'failed',
      subject: shownUrl(url),
      summary: `The webhook did not answer the validation with its code (${outcome ?? 'no answer'}): nothing is delivered to it yet.`,
      action:
        'Answer a request with "aeg-event-type: SubscriptionValidation" with 200 and {"validationResponse": <data.validationCode>}, or GET its data.validationUrl within five minutes. It is sent again meanwhile.',
    })
  }
  next = clock.at(clock.now(), start)

  return {
    get validated() {
      return validated
    },
    get attempt() {
      return attempt
    },
    confirm(code, token) {
      if (manual === undefined || manual.code !== code || manual.token !== token) return false
      if (clock.now() > manual.untilMs) return false
      succeed()
      return true
    },
    [Symbol.dispose]() {
      closing.abort()
      next?.[Symbol.dispose]()
    },
  }
}

/** Azure has the like of it on port 553, which no client of this emulator could reach. */
export const VALIDATION_HOST = 'rp-westeurope.eventgrid.azure.net'

function responseOf(text: string): unknown {
  try {
    const body: unknown = JSON.parse(text)
    if (typeof body !== 'object' || body === null) return undefined
    return Object.entries(body).find(([name]) => name.toLowerCase() === 'validationresponse')?.[1]
  } catch {
    return undefined
  }
}
