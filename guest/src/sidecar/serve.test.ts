import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { HttpRequest, SidecarHandler } from './app.ts'
import { type HttpServer, serveHttp } from './serve.ts'

// What goes over the connection, byte by byte: clients are shell scripts, too.

let server: HttpServer
afterEach(() => server.close())

const asked: HttpRequest[] = []
const echo: SidecarHandler = async (request) => {
  asked.push(request)
  return { status: 200, headers: { 'Content-Type': 'text/plain' }, body: request.body || 'nothing' }
}

/** Sends text and gives all that comes back until the other side ends, or until so many answers are there. */
async function exchange(sent: string, { answers = Number.POSITIVE_INFINITY } = {}): Promise<string> {
  asked.length = 0
  server = await serveHttp(echo, 0)
  const socket = connect(server.port, '127.0.0.1')
  socket.write(sent)
  let came = ''
  for await (const chunk of socket.setEncoding('utf8')) {
    came += chunk
    if ((came.match(/200 OK[\s\S]*?\r\n\r\n(nothing|\{\})/g)?.length ?? 0) >= answers) break
  }
  return came.replaceAll(/Date: [^\r]+/g, 'Date: then')
}

describe('the HTTP server', () => {
  it('answers with the headers of the original, in its spelling, on a connection that stays', async () => {
    const came = await exchange('GET /a?b HTTP/1.1\r\nHost: localhost:1\r\n\r\nGET /c HTTP/1.1\r\nHost: x\r\n\r\n', {
      answers: 2,
    })
    const answer = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 7\r\nDate: then\r\n\r\nnothing'
    expect(came).toBe(answer + answer)
    expect(asked).toEqual([
      { method: 'GET', target: '/a?b', host: 'localhost:1', body: '' },
      { method: 'GET', target: '/c', host: 'x', body: '' },
    ])
  })

  it.each([
    ['HTTP/1.1', 'Connection: close\r\n'],
    ['HTTP/1.0', ''],
  ])('closes the connection of %s with "%s" when it has answered', async (version, header) => {
    const came = await exchange(`GET / ${version}\r\nHost: localhost\r\n${header}\r\n`)
    expect(came).toMatch(/Connection: close\r\n(.|\r\n)*nothing$/)
  })

  it('keeps the connection of an old client that asks for it, and says so', async () => {
    const came = await exchange('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n', { answers: 1 })
    expect(came).toContain('Connection: keep-alive\r\n')
    // No `Keep-Alive: timeout=…` either: there is none.
    expect(came).not.toContain('Keep-Alive:')
    expect(asked[0]!.host).toBeUndefined()
  })

  it('reads a body in pieces, and one that waits to be wanted', async () => {
    await exchange('POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n', {
      answers: 1,
    })
    expect(asked[0]!.body).toBe('{}')
    await server.close()
    const head = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n'
    expect(await exchange(`${head}{}`, { answers: 1 })).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 OK/)
  })

  it('replaces what is no UTF-8, as the original does', async () => {
    server = await serveHttp(echo, 0)
    const body = Buffer.from([0x22, 0xff, 0x22])
    const answer = await fetch(`http://127.0.0.1:${server.port}/`, { method: 'POST', body })
    expect(await answer.text()).toBe('"\ufffd"')
  })

  it('refuses a body that is longer than anything asked here, and does not look at it', async () => {
    server = await serveHttp(echo, 0)
    asked.length = 0
    const body = 'A'.repeat(1024 * 1024 + 1)
    const answer = await fetch(`http://127.0.0.1:${server.port}/`, { method: 'POST', body })
    expect([answer.status, await answer.json()]).toEqual([413, { error: 'the body is too long' }])
    expect(asked).toEqual([])
  })

  it('asks nothing for a client that went away while it was sending', async () => {
    server = await serveHttp(echo, 0)
    asked.length = 0
    const socket = connect(server.port, '127.0.0.1')
    socket.end('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{')
    socket.resume()
    await new Promise((done) => socket.once('close', done))
    expect(asked).toEqual([])
  })
})
