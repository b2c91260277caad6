import { connect, type Socket } from 'node:net'
import { connect as tlsConnect } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { WireEndpoint } from '../../../emulator/src/emulator.ts'
import { createHostileWorld, type HostileWorld, VAULT } from './world.ts'

/*
 * Bytes on the port that no client library would send. Whatever they are, the connection ends or is answered, only what
 * was asked once is answered once, and the next client is served.
 */

const LIMIT = 16 * 1024 * 1024

let world: HostileWorld
let endpoint: WireEndpoint
let proxyAuthorization: string
let authorization: string
beforeAll(async () => {
  world = await createHostileWorld()
  endpoint = await world.emulator.listen()
  proxyAuthorization = `Proxy-Authorization: Basic ${Buffer.from(world.emulator.credential.userInfo()).toString('base64')}`
  authorization = `Authorization: ${(await world.authorization('https://vault.azure.net')).authorization}`
})
afterAll(() => world[Symbol.asyncDispose]())

const HOST = new URL(VAULT).host

/** What comes back until the other end closes; ours is closed when `enough` says so. */
function readAll(socket: Socket, enough: (text: string) => boolean = () => false): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    socket.setEncoding('latin1')
    socket.on('data', (chunk: string) => {
      text += chunk
      if (enough(text)) socket.destroy()
    })
    socket.on('error', () => socket.destroy())
    socket.on('close', () => resolve(text))
  })
}

const plain = () => connect(endpoint.port, '127.0.0.1')

/** Sends these bytes to the port itself, and reads until it has had enough. */
async function raw(bytes: string | Buffer, enough?: (text: string) => boolean): Promise<string> {
  const socket = plain()
  const answer = readAll(socket, enough)
  socket.end(bytes)
  return await answer
}

/** A TLS connection straight to the vault. */
function secure(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = tlsConnect({ port: endpoint.port, host: '127.0.0.1', servername: HOST, ca: endpoint.caPem }, () =>
      resolve(socket),
    )
    socket.on('error', reject)
  })
}

/** Sends these bytes to the vault, over TLS. */
async function toVault(bytes: string | Buffer, enough?: (text: string) => boolean): Promise<string> {
  const socket = await secure()
  const answer = readAll(socket, enough)
  socket.write(bytes)
  return await answer
}

const statuses = (text: string) => [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status))
const answers = (count: number) => (text: string) => statuses(text).length >= count && /\}$|\r\n\r\n$/.test(text)

/** The next client is served. */
async function expectAlive(): Promise<void> {
  const text = await toVault(`GET /keys?api-version=7.4 HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`, answers(1))
  expect(statuses(text)).toEqual([401])
}

describe('two lengths of one body', () => {
  const smuggled = 'GET /keys?api-version=7.4 HTTP/1.1\r\nHost: smuggled.vault.azure.net\r\n\r\n'
  it.each([
    [
      'Content-Length and Transfer-Encoding',
      `Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
    ],
    [
      'Transfer-Encoding twice',
      `Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n${smuggled}`,
    ],
    ['Transfer-Encoding with a blank before the colon', `Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${smuggled}`],
    ['Transfer-Encoding of something that ends in chunked', `Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${smuggled}`],
    ['Content-Length twice', `Content-Length: 0\r\nContent-Length: 60\r\n\r\n${smuggled}`],
    ['Content-Length that is signed', `Content-Length: +0\r\n\r\n${smuggled}`],
    ['Content-Length in a list', `Content-Length: 0, 60\r\n\r\n${smuggled}`],
    ['a header that is folded', `X-A: b\r\n Content-Length: 60\r\nContent-Length : 0\r\n\r\n${smuggled}`],
    ['a bare line feed', `Content-Length: 0\nTransfer-Encoding: chunked\r\n\r\n${smuggled}`],
    ['a chunk whose size overflows', 'Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\nx'],
    ['a chunk whose size is no number', 'Transfer-Encoding: chunked\r\n\r\n-1\r\nx'],
  ])('are refused: %s', async (_, rest) => {
    const text = await toVault(`POST /keys/k/create?api-version=7.4 HTTP/1.1\r\nHost: ${HOST}\r\n${rest}`)
    expect(statuses(text)).toEqual([400])
  })
})

describe('the host that is meant', () => {
  it.each([
    ['two of them', `GET /keys HTTP/1.1\r\nHost: ${HOST}\r\nHost: evil.vault.azure.net\r\n\r\n`],
    ['none', 'GET /keys HTTP/1.1\r\n\r\n'],
    ['one with a user', `GET /keys HTTP/1.1\r\nHost: x@${HOST}\r\n\r\n`],
    ['one with a path', `GET /keys HTTP/1.1\r\nHost: ${HOST}/x\r\n\r\n`],
    ['one in the request line', `GET https://${HOST}/keys HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`],
    [
      'the metadata service in the request line',
      `GET http://169.254.169.254/metadata/instance HTTP/1.1\r\nHost: ${HOST}\r\nMetadata: true\r\n\r\n`,
    ],
    ['an asterisk for a path', `OPTIONS * HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`],
  ])('cannot be %s', async (_, request) => {
    expect(statuses(await toVault(request, answers(1)))).toEqual([400])
  })

  it('cannot be another one than the connection was opened to', async () => {
    for (const host of ['169.254.169.254', 'login.microsoftonline.com', 'other.vault.azure.net', '127.0.0.1']) {
      const request = `GET /metadata/instance?api-version=2021-02-01 HTTP/1.1\r\nHost: ${host}\r\nMetadata: true\r\n\r\n`
      expect(statuses(await toVault(request, answers(1)))).toEqual([421])
    }
  })

  it.each([
    'http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=x',
    'http://skerry.vault.azure.net/keys',
    'https://skerry.vault.azure.net/keys',
    'ftp://x/',
    '//169.254.169.254/metadata',
  ])('is nobody’s without the credential of the proxy: %s', async (target) => {
    const text = await raw(`GET ${target} HTTP/1.1\r\nHost: x\r\nMetadata: true\r\nConnection: close\r\n\r\n`)
    expect([400, 404, 407]).toContain(statuses(text)[0])
    expect(text).not.toContain('access_token')
  })

  it.each([
    '',
    ':',
    ':443',
    'skerry.vault.azure.net',
    'skerry.vault.azure.net:',
    'skerry.vault.azure.net:22',
    'skerry.vault.azure.net:99999999999',
    'skerry.vault.azure.net@evil.example:443',
    'evil.example:443',
    '127.0.0.1:22',
    '[::1]:443',
    '[::ffff:169.254.169.254]:80',
    '2852039166:80',
    '169.254.169.254%00:80',
    `${'x.'.repeat(3000)}vault.azure.net.evil.example:443`,
    'http://169.254.169.254:80',
  ])('of a tunnel is refused: %#', async (target) => {
    const text = await raw(`CONNECT ${target} HTTP/1.1\r\nHost: x\r\n${proxyAuthorization}\r\n\r\n`)
    expect([400, 403]).toContain(statuses(text)[0])
  })
})

describe('a client that stops in the middle', () => {
  it.each([
    ['of the first byte', ''],
    ['of a request line', 'GET /ke'],
    ['of a header', `POST /keys/k/create?api-version=7.4 HTTP/1.1\r\nHost: ${HOST}\r\nX-A: `],
    ['of a body', `POST /keys/k/create?api-version=7.4 HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 100\r\n\r\n{"kty"`],
    [
      'of a chunk',
      `POST /keys/k/create?api-version=7.4 HTTP/1.1\r\nHost: ${HOST}\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{"kty"`,
    ],
  ])('%s is let go, and nothing was done', async (_, bytes) => {
    const before = world.emulator.context.journal.records().length
    const socket = await secure()
    const gone = readAll(socket)
    socket.write(bytes.replace('\r\nHost', `\r\n${authorization}\r\nHost`))
    socket.destroy()
    await gone
    await expectAlive()
    const done = world.emulator.context.journal.records().slice(before)
    expect(done.filter(({ outcome }) => outcome === 'done')).toEqual([])
  })

  it.each([
    ['TLS of another kind', Buffer.from([0x16, 0x03, 0x01, 0xff, 0xff, ...Buffer.alloc(300, 0xaa)])],
    ['a record that is none', Buffer.from([0x16, 0, 0, 0, 0])],
    ['an alert', Buffer.from([0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28])],
    ['SSL 2', Buffer.from([0x80, 0x2e, 0x01, 0x00, 0x02])],
    ['SOCKS', Buffer.from([0x05, 0x01, 0x00])],
    ['the preface of HTTP/2', Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')],
    ['zeros', Buffer.alloc(70_000)],
    ['one long line', Buffer.from(`GET /${'x'.repeat(200_000)} HTTP/1.1\r\n\r\n`)],
  ])('or speaks %s, is let go', async (_, bytes) => {
    const text = await raw(bytes)
    expect(statuses(text).every((status) => status >= 400 && status < 500)).toBe(true)
    await expectAlive()
  })
})

describe('more than is taken', () => {
  it('headers of 17 KiB are 431, where the client still listens', async () => {
    for (const to of [toVault, raw]) {
      const text = await to(`GET /keys HTTP/1.1\r\nHost: ${HOST}\r\nX-A: ${'x'.repeat(17_000)}\r\n\r\n`)
      expect([[], [431]]).toContainEqual(statuses(text))
      await expectAlive()
    }
  })

  it('a body of 16 MiB is read, and one of a byte more is 413', async () => {
    const ask = async (size: number) => {
      const body = Buffer.alloc(size, 0x20)
      const head = `POST /keys/k/create?api-version=7.4 HTTP/1.1\r\nHost: ${HOST}\r\n${authorization}\r\nContent-Length: ${size}\r\n\r\n`
      return statuses(await toVault(Buffer.concat([Buffer.from(head), body]), answers(1)))
    }
    expect(await ask(LIMIT)).toEqual([400])
    expect(await ask(LIMIT + 1)).toEqual([413])
  })

  it('a body without a length is 413 when there is too much of it', async () => {
    const socket = await secure()
    const answer = readAll(socket, answers(1))
    socket.write(
      `POST /keys/k/create?api-version=7.4 HTTP/1.1\r\nHost: ${HOST}\r\n${authorization}\r\nTransfer-Encoding: chunked\r\n\r\n`,
    )
    const chunk = Buffer.from(`100000\r\n${' '.repeat(0x100000)}\r\n`)
    for (let sent = 0; sent <= 17 && !socket.destroyed; sent++) socket.write(chunk)
    expect(statuses(await answer)).toEqual([413])
  })

  it('a hundred requests in one piece are answered in turn, each once', async () => {
    const one = `GET /keys?api-version=7.4 HTTP/1.1\r\nHost: ${HOST}\r\n${authorization}\r\n\r\n`
    const text = await toVault(one.repeat(100), answers(100))
    expect(statuses(text)).toEqual(Array.from({ length: 100 }, () => 200))
  })

  it('a hundred connections that say nothing keep nobody waiting', async () => {
    const silent = Array.from({ length: 100 }, plain)
    await expectAlive()
    for (const socket of silent) socket.destroy()
  })
})
