import type { IncomingMessage, ServerResponse } from 'node:http'

/** The largest body that is read: more than any template with a policy in it, less than what would hurt. */
const LARGEST_BODY = 16 * 1024 * 1024

/** Headers between a client and its proxy (RFC 9110, section 7.6.1): the service behind it does not see them. */
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Thrown for what cannot become a request; `status` is what to answer. */
export class BadRequestError extends Error {
  readonly code = 'ERR_BAD_HTTP_REQUEST'
  readonly status: 400 | 405 | 413 | 421
  constructor(status: 400 | 405 | 413 | 421, message: string) {
    super(message)
    this.name = 'BadRequestError'
    this.status = status
  }
}

/**
 * The web-standard form of a request that Node received. The request target stays as it was sent: doubled slashes and
 * percent-encoded query names mean something to Key Vault's clients.
 *
 * @param origin scheme and authority that the client believes it talks to: `https://v.vault.azure.net`
 * @throws BadRequestError
 */
export async function toRequest(incoming: IncomingMessage, origin: string, signal?: AbortSignal): Promise<Request> {
  const method = incoming.method ?? 'GET'
  const headers = new Headers()
  try {
    for (let at = 0; at < incoming.rawHeaders.length; at += 2) {
      const name = incoming.rawHeaders[at]!
      if (!HOP_BY_HOP.has(name.toLowerCase())) headers.append(name, incoming.rawHeaders[at + 1]!)
    }
  } catch (error) {
    throw new BadRequestError(400, (error as Error).message)
  }
  const body = await readBody(incoming)
  const carriesBody = body.length > 0 && method !== 'GET' && method !== 'HEAD'
  const target = incoming.url ?? '/'
  if (!target.startsWith('/')) throw new BadRequestError(400, `the request target ${target} is not a path`)
  try {
    return new Request(origin + target, {
      method,
      headers,
      ...(carriesBody && { body }),
      ...(signal !== undefined && { signal }),
    })
  } catch (error) {
    // The fetch standard has no CONNECT, TRACE or TRACK; anything else is a target that no URL can hold.
    const forbidden = /^(connect|trace|track)$/i.test(method)
    throw new BadRequestError(forbidden ? 405 : 400, (error as Error).message)
  }
}

/** Writes the answer whole, with its headers as the service gave them and a Content-Length. */
export async function sendResponse(outgoing: ServerResponse, response: Response, method: string): Promise<void> {
  const body = response.body === null ? undefined : Buffer.from(await response.arrayBuffer())
  if (outgoing.destroyed) return
  outgoing.statusCode = response.status
  if (response.statusText !== '') outgoing.statusMessage = response.statusText
  for (const [name, value] of response.headers) {
    if (name !== 'set-cookie') outgoing.setHeader(name, value)
  }
  const cookies = response.headers.getSetCookie()
  if (cookies.length > 0) outgoing.setHeader('set-cookie', cookies)
  const bodiless = response.status === 204 || response.status === 304
  if (!bodiless && !(method === 'HEAD' && outgoing.hasHeader('content-length'))) {
    outgoing.setHeader('content-length', body?.length ?? 0)
  }
  outgoing.end(bodiless || method === 'HEAD' ? undefined : body)
}

async function readBody(incoming: IncomingMessage): Promise<Buffer<ArrayBuffer>> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > LARGEST_BODY) throw new BadRequestError(413, `the body is larger than ${LARGEST_BODY} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
