import type { IncomingMessage, ServerResponse } from 'node:http'
import type { PlainAnswer, PlainRequest } from '../core/index.ts'

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
 * The URL that is asked for. The request target stays as it was sent: doubled slashes and percent-encoded query names mean
 * something to Key Vault's clients.
 *
 * @param origin scheme and authority that the client believes it talks to: `https://v.vault.azure.net`
 * @throws BadRequestError
 */
export function requestUrl(incoming: IncomingMessage, origin: string): URL {
  const target = incoming.url ?? '/'
  const url = target.startsWith('/') ? URL.parse(origin + target) : null
  if (url === null) throw new BadRequestError(400, `the request target ${target} is not a path`)
  return url
}

/** The web-standard form of a request that Node received. @throws BadRequestError */
export async function toRequest(incoming: IncomingMessage, url: URL, signal?: AbortSignal): Promise<Request> {
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
  try {
    return new Request(url, {
      method,
      headers,
      ...(carriesBody && { body }),
      ...(signal !== undefined && { signal }),
    })
  } catch (error) {
    throw new BadRequestError(FORBIDDEN_METHOD.test(method) ? 405 : 400, (error as Error).message)
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

const utf8 = new TextDecoder()

/** Methods that the fetch standard has no Request for. */
const FORBIDDEN_METHOD = /^(connect|trace|track)$/i

/**
 * The same request in plain parts: what `toRequest` refuses is refused, and its members say what the Request's would.
 * @throws BadRequestError
 */
export async function toPlainRequest(incoming: IncomingMessage, url: URL): Promise<PlainRequest> {
  const { method = 'GET', rawHeaders } = incoming
  if (FORBIDDEN_METHOD.test(method)) throw new BadRequestError(405, `'${method}' HTTP method is unsupported.`)
  const body = await readBody(incoming)
  const carriesBody = method !== 'GET' && method !== 'HEAD'
  return {
    method,
    url: url.href,
    headers: { get: (name) => headerOf(rawHeaders, name.toLowerCase()) },
    text: async () => (carriesBody ? utf8.decode(body) : ''),
    bytes: async () => (carriesBody ? body : new Uint8Array()),
  }
}

/** Several of one name read as one list (RFC 9110, section 5.3). */
function headerOf(rawHeaders: readonly string[], wanted: string): string | null {
  let value: string | null = null
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!
    if (name.length !== wanted.length || name.toLowerCase() !== wanted || HOP_BY_HOP.has(wanted)) continue
    value = value === null ? rawHeaders[at + 1]! : `${value}, ${rawHeaders[at + 1]}`
  }
  return value
}

/** Writes an answer in plain parts. */
export function sendPlainAnswer(
  outgoing: ServerResponse,
  { status, headers, body }: PlainAnswer,
  method: string,
): void {
  if (outgoing.destroyed) return
  const lines: string[] = []
  for (const name in headers) lines.push(name, headers[name]!)
  const bodiless = status === 204 || status === 304
  const size = body === null ? 0 : typeof body === 'string' ? Buffer.byteLength(body) : body.length
  if (!bodiless) lines.push('Content-Length', String(size))
  outgoing.writeHead(status, lines)
  if (bodiless || method === 'HEAD' || body === null) outgoing.end()
  else if (typeof body !== 'string') outgoing.end(body)
  // Text in ASCII is the same in either, and Latin-1 is written for less.
  else outgoing.end(body, size === body.length ? 'latin1' : 'utf8')
}

function readBody(incoming: IncomingMessage): Promise<Buffer<ArrayBuffer>> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer<ArrayBuffer>[] = []
    let size = 0
    incoming.on('data', (chunk: Buffer<ArrayBuffer>) => {
      size += chunk.length
      if (size > LARGEST_BODY) {
        incoming.pause()
        reject(new BadRequestError(413, `the body is larger than ${LARGEST_BODY} bytes`))
      } else {
        chunks.push(chunk)
      }
    })
    // Also of a client that goes away in the middle.
    incoming.on('error', reject)
    incoming.once('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)))
  })
}
