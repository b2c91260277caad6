import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type PlainAnswer, type PlainRequest, toResponse } from '../core/index.ts'
import {
  type BadRequestError,
  requestUrl,
  sendPlainAnswer,
  sendResponse,
  toPlainRequest,
  toRequest,
} from './node-http.ts'

/*
 * A request in plain parts is the Request it stands for, and an answer in plain parts is sent as the Response would be:
 * two servers, one of each way, are asked the same.
 */

interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: readonly (string | null)[]
  readonly text: string
  readonly hex: string
}

const ASKED = ['content-type', 'X-Two', 'authorization', 'connection', 'x-absent', 'x-latin']
const ORIGIN = 'https://v.vault.azure.net'

let answer: PlainAnswer
const seen: Record<'web' | 'plain', Seen[]> = { web: [], plain: [] }
const servers: Server[] = []
const ports: Record<string, number> = {}

async function note(kind: 'web' | 'plain', request: PlainRequest) {
  const headers = ASKED.map((name) => request.headers.get(name))
  // A Request is read once, and so is its copy.
  const hex = Buffer.from(await (request instanceof Request ? request.clone() : request).bytes()).toString('hex')
  seen[kind].push({ method: request.method, url: request.url, headers, text: await request.text(), hex })
}

async function serve(kind: 'web' | 'plain', incoming: IncomingMessage, outgoing: ServerResponse) {
  try {
    const url = requestUrl(incoming, ORIGIN)
    if (kind === 'web') {
      const request = await toRequest(incoming, url)
      await note(kind, request)
      await sendResponse(outgoing, toResponse(answer), request.method)
    } else {
      const request = await toPlainRequest(incoming, url)
      await note(kind, request)
      sendPlainAnswer(outgoing, answer, request.method)
    }
  } catch (error) {
    outgoing.writeHead((error as BadRequestError).status, { connection: 'close' }).end((error as Error).name)
  }
}

beforeAll(async () => {
  for (const kind of ['web', 'plain'] as const) {
    const server = createServer((incoming, outgoing) => void serve(kind, incoming, outgoing))
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    ports[kind] = (server.address() as AddressInfo).port
    servers.push(server)
  }
})
afterAll(() => {
  for (const server of servers) server.close()
})

/** What is answered to these bytes, header names in lower case, without what depends on the moment. */
function exchange(port: number, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const socket = connect(port, '127.0.0.1', () => socket.write(Buffer.from(request, 'latin1')))
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.on('error', reject)
    socket.on('end', () => {
      const [head = '', ...body] = Buffer.concat(chunks).toString('latin1').split('\r\n\r\n')
      const [status, ...lines] = head.split('\r\n')
      const headers = lines.map((line) => line.replace(/^[^:]+/, (name) => name.toLowerCase())).sort()
      const kept = headers.filter((line) => !line.startsWith('date:'))
      resolve([status, ...kept, '', ...body].join('\n'))
    })
  })
}

const JSON_ANSWER: PlainAnswer = {
  status: 200,
  headers: { 'Content-Type': 'application/json; charset=utf-8', 'x-ms-request-id': 'r-1' },
  body: '{"echo":true}',
}

async function both(request: string, given: PlainAnswer = JSON_ANSWER) {
  answer = given
  for (const list of Object.values(seen)) list.length = 0
  const web = await exchange(ports.web!, request)
  const plain = await exchange(ports.plain!, request)
  return { web: { said: web, seen: seen.web[0] }, plain: { said: plain, seen: seen.plain[0] } }
}

const head = (line: string, ...headers: string[]) =>
  [line, 'Host: v.vault.azure.net', 'Connection: close', ...headers, '', ''].join('\r\n')

describe('a request in plain parts', () => {
  it.each([
    ['a body', `${head('POST /keys/k//sign?api%2Dversion=7.4 HTTP/1.1', 'Content-Length: 7')}{"a":1}`],
    ['a chunked body', `${head('POST /k HTTP/1.1', 'Transfer-Encoding: chunked')}3\r\n{"a\r\n4\r\n":1}\r\n0\r\n\r\n`],
    ['text that is not ASCII', `${head('PUT /k HTTP/1.1', 'Content-Length: 4')}\xc3\xa9\xe2\x82`],
    ['a byte order mark', `${head('POST /k HTTP/1.1', 'Content-Length: 5')}\xef\xbb\xbf{}`],
    ['no body', head('DELETE /keys/k HTTP/1.1')],
    ['a body that a GET should not have', `${head('GET /keys HTTP/1.1', 'Content-Length: 2')}{}`],
    ['one header twice', head('GET / HTTP/1.1', 'x-two: a', 'X-Two: b', 'Content-Type: c', 'content-type: d')],
    ['an authorization twice', head('GET / HTTP/1.1', 'Authorization: Bearer a', 'authorization: Bearer b')],
    ['a header that is not ASCII', head('GET / HTTP/1.1', 'x-latin: \xe9')],
    ['dots in the path', head('GET /keys/../a/./b HTTP/1.1')],
    ['a method of its own', head('PATCH /keys HTTP/1.1')],
  ])('is what the Request says: %s', async (_, request) => {
    const { web, plain } = await both(request)
    expect(plain).toEqual(web)
    expect(plain.seen).toBeDefined()
  })

  it.each([
    ['a target that is no path', head('GET keys HTTP/1.1')],
    ['a method that no Request has', head('TRACE /keys HTTP/1.1')],
  ])('is refused where the Request is: %s', async (_, request) => {
    const { web, plain } = await both(request)
    expect(plain).toEqual(web)
    expect(plain.seen).toBeUndefined()
  })

  it('is refused when its body is larger than what is read', async () => {
    const size = 16 * 1024 * 1024 + 1
    const request = `${head('POST /k HTTP/1.1', `Content-Length: ${size}`)}${'x'.repeat(size)}`
    const { web, plain } = await both(request)
    expect(plain.said).toContain('HTTP/1.1 413')
    expect(plain.said).toEqual(web.said)
  })
})

describe('an answer in plain parts', () => {
  it.each<[string, string, PlainAnswer]>([
    ['a body', 'GET', JSON_ANSWER],
    ['the head of a body', 'HEAD', JSON_ANSWER],
    ['text that is not ASCII', 'GET', { ...JSON_ANSWER, body: '{"tag":"Größe €"}' }],
    ['bytes', 'GET', { status: 200, headers: { 'x-a': 'b' }, body: Uint8Array.of(0, 255, 13, 10, 0xc3) }],
    ['the head of bytes', 'HEAD', { status: 200, headers: { 'x-a': 'b' }, body: Uint8Array.of(1, 2) }],
    ['no body', 'GET', { status: 401, headers: { 'x-a': 'b' }, body: null }],
    ['an empty body', 'POST', { status: 200, headers: { 'Content-Type': 'text/plain' }, body: '' }],
    ['nothing at all', 'DELETE', { status: 204, headers: { 'x-a': 'b' }, body: null }],
  ])('is sent as the Response is: %s', async (_, method, given) => {
    const { web, plain } = await both(head(`${method} / HTTP/1.1`), given)
    expect(plain).toEqual(web)
  })
})
