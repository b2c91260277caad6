import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { HttpAnswer, SidecarHandler } from './app.ts'

/** Runtime data and three names: nothing that is asked here is longer. */
const BODY_LIMIT = 1024 * 1024

/** What the original's server takes of headers; Node's own limit is 16 KiB. */
const HEADER_LIMIT = 1024 * 1024

export interface HttpServer {
  readonly port: number
  /** Ends connections too. */
  close(): Promise<void>
}

/**
 * Serves on the loopback address, as the original's server would: a connection that is kept alive is never closed for
 * having been idle, since clients that ask every few seconds would now and then meet a closed one.
 * @param port 0: any that is free
 * @throws an error with code EADDRINUSE when the port is taken
 */
export async function serveHttp(handle: SidecarHandler, port: number): Promise<HttpServer> {
  const server = createServer({ keepAliveTimeout: 0, maxHeaderSize: HEADER_LIMIT }, (request, response) => {
    // The client has gone: there is nobody to answer.
    void answer(handle, request, response).catch(() => response.destroy())
  })
  // The address, not the name: an isolated group may have no resolver, and nothing but loopback may ever reach this.
  server.listen(port, '127.0.0.1')
  await new Promise<void>((done, fail) => {
    server.once('listening', done)
    server.once('error', fail)
  })
  const close = () =>
    new Promise<void>((done) => {
      server.close(() => done())
      server.closeAllConnections()
    })
  return { port: (server.address() as AddressInfo).port, close }
}

const TOO_LONG: HttpAnswer = {
  status: 413,
  headers: { 'Content-Type': 'application/json; charset=utf-8' },
  body: '{"error":"the body is too long"}',
}

async function answer(handle: SidecarHandler, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = 'GET', url = '/', headers } = request
  const sent = await bodyOf(request)
  const answered = sent === undefined ? TOO_LONG : await handle({ method, target: url, host: headers.host, body: sent })
  // A connection is kept alive without saying so, where that is what HTTP means anyway.
  if (request.httpVersion === '1.1' && response.shouldKeepAlive) response.removeHeader('Connection')
  const { status, body } = answered
  response.writeHead(status, { ...answered.headers, 'Content-Length': Buffer.byteLength(body) })
  response.end(body)
}

/** @returns undefined for one that is too long; it is read to its end, since who is still sending does not listen */
async function bodyOf(request: IncomingMessage): Promise<string | undefined> {
  const parts: Buffer[] = []
  let length = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length
    if (length <= BODY_LIMIT) parts.push(part)
  }
  return length > BODY_LIMIT ? undefined : Buffer.concat(parts).toString()
}
