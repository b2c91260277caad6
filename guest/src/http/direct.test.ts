import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { directFetch } from './direct.ts'
import { requestBytes, requestJson } from './upstream.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close()
    server.closeAllConnections()
  }
})

async function serving(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  servers.push(server)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe("a request over Node's own client", () => {
  it('sends method, headers and body, and gives status and body', async () => {
    const url = await serving(async (request, response) => {
      const chunks = await request.toArray()
      const { method, url: path, headers } = request
      response.end(
        JSON.stringify({ method, path, type: headers['content-type'], body: Buffer.concat(chunks).toString() }),
      )
    })
    const init = { method: 'POST', headers: { 'Content-Type': 'text/x' }, body: '\u00e9' }
    await expect(requestJson(directFetch, 'x', `${url}/a?b=c`, init)).resolves.toEqual({
      method: 'POST',
      path: '/a?b=c',
      type: 'text/x',
      body: '\u00e9',
    })
  })

  it('takes headers in each form that fetch takes', async () => {
    const url = await serving(({ headers }, response) => response.end(String(headers['user-agent'])))
    for (const headers of [
      { 'User-Agent': 'me' },
      new Headers({ 'User-Agent': 'me' }),
      [['User-Agent', 'me']] as [string, string][],
    ])
      expect((await requestBytes(directFetch, 'x', url, { headers })).toString()).toBe('me')
  })

  it("that is refused gives the status, the service's words and when to come again", async () => {
    const url = await serving((_request, response) => {
      response.writeHead(429, { 'Retry-After': '3' }).end('{"error":{"code":"Throttled","message":"slow"}}')
    })
    await expect(requestJson(directFetch, 'x', url, {})).rejects.toMatchObject({
      code: 'ERR_UPSTREAM_STATUS',
      status: 429,
      upstreamCode: 'Throttled',
      retryAfterMs: 3000,
    })
  })

  it.each([301, 302, 303, 307, 308])('is not sent on by a redirect (%i)', async (status) => {
    let asked = 0
    const url = await serving((_request, response) => {
      asked += 1
      response.writeHead(status, { Location: '/elsewhere' }).end()
    })
    await expect(requestJson(directFetch, 'x', url, {})).rejects.toMatchObject({
      code: 'ERR_UPSTREAM_UNREACHABLE',
      message: `x: unexpected redirect (${status})`,
    })
    expect(asked).toBe(1)
  })

  it('ends at its time limit, before an answer and in the midst of one', async () => {
    const silent = await serving(() => undefined)
    await expect(requestJson(directFetch, 'x', silent, {}, 30)).rejects.toMatchObject({
      code: 'ERR_UPSTREAM_UNREACHABLE',
      message: expect.stringContaining('timeout'),
    })
    const slow = await serving((_request, response) => void response.write('{'))
    await expect(requestJson(directFetch, 'x', slow, {}, 60)).rejects.toMatchObject({ code: 'ERR_UPSTREAM_BODY' })
  })

  it('whose answer is longer than a megabyte is refused, and the rest of it is not waited for', async () => {
    const url = await serving((_request, response) => void response.write(Buffer.alloc(1024 * 1024 + 1)))
    await expect(requestBytes(directFetch, 'x', url)).rejects.toMatchObject({ code: 'ERR_UPSTREAM_BODY' })
  })

  it('is sent again when the connection that was kept for it had been closed', async () => {
    let asked = 0
    const url = await serving((request, response) => {
      asked += 1
      // The second finds a connection that looks open and is not.
      if (asked === 2) request.socket.resetAndDestroy()
      else response.end(String(asked))
    })
    await requestBytes(directFetch, 'x', url)
    expect((await requestBytes(directFetch, 'x', url)).toString()).toBe('3')
  })

  it('is not sent again when a new connection is lost', async () => {
    let asked = 0
    const url = await serving(({ socket }) => {
      asked += 1
      socket.resetAndDestroy()
    })
    await expect(requestBytes(directFetch, 'x', url)).rejects.toMatchObject({
      message: expect.stringContaining('ECONNRESET'),
    })
    expect(asked).toBe(1)
  })

  it('to nobody gives the reason', async () => {
    await expect(requestBytes(directFetch, 'x', 'http://127.0.0.1:1/')).rejects.toMatchObject({
      code: 'ERR_UPSTREAM_UNREACHABLE',
      message: expect.stringContaining('ECONNREFUSED'),
    })
  })
})
