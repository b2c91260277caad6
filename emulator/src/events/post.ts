import type { EventGridEvent } from './event.ts'
import { type Outcome, PATIENCE_MS } from './retry.ts'

/** Event Grid writes the name of a subscription in capitals. */
export const SUBSCRIPTION_NAME = 'SKERRY'

export interface Answer {
  readonly outcome: Outcome
  /** The beginning of the answer's body; of a validation, its JSON. */
  readonly text: string
}

/** More than an answer to a validation has. */
const LONGEST_ANSWER = 4096

/**
 * One delivery: an array with one event, and the headers of "Webhook event delivery". Goes to that URL only: a redirect
 * is an answer like another. Never rejects.
 */
export async function post(
  url: URL,
  event: EventGridEvent<unknown>,
  type: 'SubscriptionValidation' | 'Notification',
  deliveryCount: number,
  closing: AbortSignal,
): Promise<Answer> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      redirect: 'manual',
      signal: AbortSignal.any([closing, AbortSignal.timeout(PATIENCE_MS)]),
      headers: {
        'content-type': 'application/json; charset=utf-8',
        'aeg-event-type': type,
        'aeg-subscription-name': SUBSCRIPTION_NAME,
        'aeg-delivery-count': `${deliveryCount}`,
        'aeg-data-version': event.dataVersion,
        'aeg-metadata-version': event.metadataVersion,
      },
      body: JSON.stringify([event]),
    })
    return { outcome: response.status, text: await beginningOf(response) }
  } catch {
    return { outcome: undefined, text: '' }
  }
}

async function beginningOf({ body }: Response): Promise<string> {
  let text = ''
  if (body === null) return text
  const decoder = new TextDecoder()
  // Leaving the loop cancels what is still to come.
  for await (const chunk of body) {
    text += decoder.decode(chunk, { stream: true })
    if (text.length > LONGEST_ANSWER) break
  }
  return text.slice(0, LONGEST_ANSWER)
}
