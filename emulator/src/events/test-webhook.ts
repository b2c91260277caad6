import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { EventGridEvent } from './event.ts'

/** For tests: a webhook on loopback that notes what it is sent and answers as it is told. */
export interface TestWebhook extends AsyncDisposable {
  readonly url: string
  readonly requests: ReceivedRequest[]
  /** The events of `requests` that are not validations, in the order in which they came. */
  notifications(): EventGridEvent[]
  /** What to answer: a status, or a promise of one to keep the sender waiting. The validation gets its code by default. */
  answer: (request: ReceivedRequest) => number | object | Promise<number | object>
}

export interface ReceivedRequest {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: EventGridEvent<Record<string, unknown>>[]
}

export const giveCodeBack = ({ headers, body }: ReceivedRequest): number | object =>
  headers['aeg-event-type'] === 'SubscriptionValidation' ? { validationResponse: body[0]!.data.validationCode } : 200

export async function startTestWebhook(): Promise<TestWebhook> {
  const requests: ReceivedRequest[] = []
  const server = createServer(async (incoming, outgoing) => {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
    const request: ReceivedRequest = {
      method: incoming.method ?? '',
      path: incoming.url ?? '',
      headers: incoming.headers,
      body: JSON.parse(Buffer.concat(chunks).toString()) as ReceivedRequest['body'],
    }
    requests.push(request)
    const answer = await webhook.answer(request)
    if (typeof answer === 'number') outgoing.writeHead(answer, { location: 'https://elsewhere.example/' }).end()
    else outgoing.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as { port: number }
  const webhook: TestWebhook = {
    url: `http://127.0.0.1:${port}/events?code=secret-of-the-hook`,
    requests,
    notifications: () =>
      requests
        .filter(({ headers }) => headers['aeg-event-type'] === 'Notification')
        .map(({ body }) => body[0] as unknown as EventGridEvent),
    answer: giveCodeBack,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
  return webhook
}
