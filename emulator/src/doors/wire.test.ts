import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TLSSocket, connect as tlsConnect } from 'node:tls'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Caller } from '../core/index.ts'
import { createTestContext } from '../core/test-context.ts'
import { instanceCredential } from './credential.ts'
import { createWireDoor, PortInUseError, type WireDoor, type WireOptions } from './wire.ts'

interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: Record<string, string>
  readonly body: string
  readonly caller: Caller
}

const world = createTestContext()
const credential = instanceCredential(Buffer.alloc(32, 7))
const seen: Seen[] = []
for (const hosts of [['*.vault.azure.net'], ['169.254.169.254']]) {
  world.use({
    name: 'echo',
    hosts,
    async handle(request, caller) {
      const { method, url } = request
      seen.push({ method, url, headers: Object.fromEntries(request.headers), body: await request.text(), caller })
      return new Response('{"echo":true}', {
        status: 201,
        headers: [
          ['content-type', 'application/json'],
          ['x-ms-request-id', 'r-1'],
          ['set-cookie', 'a=1'],
          ['set-cookie', 'b=2'],
        ],
      })
    },
  })
}

let door: WireDoor
let port: number
const options: WireOptions = {
  dispatcher: world.dispatcher,
  authority: world.ctx.authority,
  journal: world.ctx.journal,
  credential,
  control: async (request) => Response.json({ asked: new URL(request.url).pathname }),
}
beforeEach(async () => {
  seen.length = 0
  door = createWireDoor(options)
  port = await door.listen()
})
afterEach(() => door.close())

const basic = (userInfo: string) => `Basic ${Buffer.from(userInfo).toString('base64')}`
const ours = { 'proxy-authorization': basic(credential.userInfo()) }

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** One request on a connection that is there already (a tunnel), or to the port itself. */
function ask(options: {
  method?: string
  path: string
  headers?: Record<string, string>
  body?: string
  socket?: Socket
}): Promise<Answer> {
  const { socket, body, ...rest } = options
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      { host: '127.0.0.1', port, ...rest, ...(socket ? { createConnection: () => socket } : { agent: false }) },
      (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk
        })
        response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, body: text }))
      },
    )
    request.on('error', reject).end(body)
  })
}

function openTunnel(target: string, headers: Record<string, string> = ours): Promise<Answer & { socket: Socket }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, method: 'CONNECT', path: target, headers, agent: false })
    request.on('connect', (response, socket, head) => {
      let body = head.toString()
      const answer = () => resolve({ status: response.statusCode!, headers: response.headers, body, socket })
      if (response.statusCode === 200) return answer()
      socket.on('data', (chunk: Buffer) => {
        body += chunk.toString()
      })
      socket.on('end', answer)
      return undefined
    })
    request.on('error', reject).end()
  })
}

function secure(socket: Socket, servername: string): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const options = { socket, servername, ca: world.ctx.authority.rootPem }
    const tls = tlsConnect(options, () => resolve(tls))
    tls.on('error', reject)
  })
}

describe('the proxy', () => {
  it('ends TLS with a certificate of the name that was asked for, and hands the request to its service', async () => {
    const { socket } = await openTunnel('v.vault.azure.net:443')
    const answer = await ask({
      socket: await secure(socket, 'v.vault.azure.net'),
      path: '/keys',
      headers: { host: 'v.vault.azure.net' },
    })
    expect(answer).toMatchObject({ status: 201, body: '{"echo":true}' })
    expect(answer.headers).toMatchObject({
      'x-ms-request-id': 'r-1',
      'set-cookie': ['a=1', 'b=2'],
      'content-length': '13',
    })
    expect(seen[0]).toMatchObject({ url: 'https://v.vault.azure.net/keys', caller: { door: 'wire' } })
  })

  it('keeps doubled slashes and percent-encoded query names', async () => {
    const { socket } = await openTunnel('v.vault.azure.net:443')
    const tls = await secure(socket, 'v.vault.azure.net')
    await ask({ socket: tls, path: '/keys/k//release?api%2Dversion=7.4', headers: { host: 'v.vault.azure.net' } })
    expect(seen[0]!.url).toBe('https://v.vault.azure.net/keys/k//release?api%2Dversion=7.4')
  })

  it('passes on a POST whose body is empty, with its Content-Length of 0', async () => {
    const { socket } = await openTunnel('v.vault.azure.net:443')
    const tls = await secure(socket, 'v.vault.azure.net')
    const headers = { host: 'v.vault.azure.net', 'content-type': 'application/json', 'content-length': '0' }
    await ask({ socket: tls, method: 'POST', path: '/keys/k/create', headers })
    expect(seen[0]).toMatchObject({ method: 'POST', body: '' })
    expect(seen[0]!.headers).toMatchObject({ 'content-length': '0', 'content-type': 'application/json' })
  })

  it('carries plain HTTP through CONNECT to port 80, as Node asks for IMDS', async () => {
    const { socket } = await openTunnel('169.254.169.254:80')
    await ask({ socket, path: '/metadata/identity', headers: { host: '169.254.169.254', metadata: 'true' } })
    expect(seen[0]).toMatchObject({ url: 'http://169.254.169.254/metadata/identity', headers: { metadata: 'true' } })
  })

  it('answers a request in absolute form, as Go asks for IMDS, without passing the credential on', async () => {
    const path = 'http://169.254.169.254//metadata?api%2Dversion=1'
    const answer = await ask({ path, headers: { ...ours, host: '169.254.169.254' } })
    expect(answer.status).toBe(201)
    expect(seen[0]!.url).toBe(path)
    expect(seen[0]!.headers).not.toHaveProperty('proxy-authorization')
  })

  it.each([
    ['no credential', {}],
    ['a wrong one', { 'proxy-authorization': basic('skerry:wrong') }],
    ['one that is not Basic', { 'proxy-authorization': `Bearer ${credential.controlToken}` }],
    [
      'the password of another user',
      { 'proxy-authorization': basic(`b3RoZXI:${credential.userInfo().split(':')[1]}`) },
    ],
  ])('answers 407 to %s', async (_, headers) => {
    const tunnel = await openTunnel('v.vault.azure.net:443', headers)
    expect(tunnel).toMatchObject({ status: 407, headers: { 'proxy-authenticate': 'Basic realm="Skerry"' } })
    const plain = await ask({ path: 'http://169.254.169.254/metadata', headers })
    expect(plain).toMatchObject({ status: 407, headers: { 'proxy-authenticate': 'Basic realm="Skerry"' } })
    expect(seen).toEqual([])
  })

  it('refuses a host that it does not emulate, names it, and writes that down', async () => {
    const tunnel = await openTunnel('example.com:443')
    expect(tunnel).toMatchObject({ status: 403, body: expect.stringContaining('example.com') })
    const plain = await ask({ path: 'http://example.com/', headers: ours })
    expect(plain).toMatchObject({ status: 501, body: expect.stringContaining('example.com') })
    expect(world.ctx.journal.records().at(-1)).toMatchObject({
      service: 'proxy',
      outcome: 'denied',
      subject: 'example.com',
    })
  })

  it('refuses ports other than 443 and 80', async () => {
    expect(await openTunnel('v.vault.azure.net:22')).toMatchObject({ status: 403, body: expect.stringContaining('22') })
  })

  it('knows a container group by its own credential', async () => {
    const group = '/subscriptions/S/resourceGroups/r/providers/Microsoft.ContainerInstance/containerGroups/g'
    const headers = { 'proxy-authorization': basic(credential.userInfo(group)) }
    await ask({ path: 'http://169.254.169.254/metadata', headers })
    expect(seen[0]!.caller).toEqual({ door: 'group', containerGroupId: group.toLowerCase() })
  })

  it('is what curl understands', async ({ skip }) => {
    const folder = mkdtempSync(join(tmpdir(), 'skerry-wire-'))
    try {
      const ca = join(folder, 'ca.pem')
      writeFileSync(ca, world.ctx.authority.rootPem)
      const proxy = `http://${credential.userInfo()}@127.0.0.1:${port}`
      const args = ['-sS', '--cacert', ca, '--proxy', proxy, 'https://v.vault.azure.net/keys//x']
      const { stdout } = await promisify(execFile)('curl', args).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') skip('curl is not installed')
        throw error
      })
      expect(stdout).toBe('{"echo":true}')
      expect(seen[0]!.url).toBe('https://v.vault.azure.net/keys//x')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

describe('TLS straight to the port', () => {
  const direct = (servername: string) => secure(connect(port, '127.0.0.1'), servername)

  it('is for names that lead to loopback: the name sent chooses the certificate, the Host header the service', async () => {
    const tls = await direct('v.vault.azure.net')
    expect(tls.getPeerCertificate().subjectaltname).toBe('DNS:v.vault.azure.net')
    await ask({ socket: tls, path: '/keys', headers: { host: `v.vault.azure.net:${port}` } })
    expect(seen[0]!.url).toBe(`https://v.vault.azure.net:${port}/keys`)
  })

  it('does not hand out what the instance metadata service gives to anyone', async () => {
    const answer = await ask({ socket: await direct('localhost'), path: '/', headers: { host: '169.254.169.254' } })
    expect(answer.status).toBe(403)
    expect(seen).toEqual([])
  })

  it('is for programs of this user: there is no credential to show, and others’ could reach the port', async () => {
    await door.close()
    door = createWireDoor({ ...options, mayConnect: async () => false })
    port = await door.listen()
    await expect(direct('v.vault.azure.net')).rejects.toThrow()
    expect((await openTunnel('v.vault.azure.net:443')).status).toBe(200)
  })

  it('has no certificate for names of others', async () => {
    await expect(direct('example.com')).rejects.toThrow()
  })
})

describe('a container group’s own network', () => {
  it('reaches services by TLS and in clear, as that group', async () => {
    const accept = door.attachGroup('/SUBSCRIPTIONS/s/g')
    const servers = ([443, 80] as const).map((meant) => createServer((socket) => accept(socket, meant)))
    const [tlsPort, clearPort] = await Promise.all(
      servers.map(
        (server) =>
          new Promise<number>((resolve) =>
            server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)),
          ),
      ),
    )
    const tls = await secure(connect(tlsPort!, '127.0.0.1'), 'v.vault.azure.net')
    await ask({ socket: tls, path: '/keys', headers: { host: 'v.vault.azure.net' } })
    await ask({ socket: connect(clearPort!, '127.0.0.1'), path: '/m', headers: { host: '169.254.169.254' } })
    for (const server of servers) server.close()
    expect(seen.map(({ url, caller }) => [url, caller])).toEqual([
      ['https://v.vault.azure.net/keys', { door: 'group', containerGroupId: '/subscriptions/s/g' }],
      ['http://169.254.169.254/m', { door: 'group', containerGroupId: '/subscriptions/s/g' }],
    ])
  })
})

/** Bytes as they are, for what no client library would send; the whole answer. */
function sendRaw(socket: Socket, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = ''
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString()
    })
    socket.on('close', () => resolve(answer))
    socket.on('error', reject)
    socket.write(text)
  })
}

describe('a request for another host than its connection was opened to', () => {
  it('is misdirected when a tunnel leads elsewhere', async () => {
    const { socket } = await openTunnel('v.vault.azure.net:443')
    const tls = await secure(socket, 'v.vault.azure.net')
    const answer = await ask({ socket: tls, path: '/metadata', headers: { host: '169.254.169.254' } })
    expect(answer).toMatchObject({ status: 421, body: expect.stringContaining('v.vault.azure.net') })
    expect(seen).toEqual([])
  })

  it('is misdirected when TLS was set up for another name', async () => {
    const tls = await secure(connect(port, '127.0.0.1'), 'v.vault.azure.net')
    expect((await ask({ socket: tls, path: '/keys', headers: { host: 'w.vault.azure.net' } })).status).toBe(421)
    const { socket } = await openTunnel('v.vault.azure.net:443')
    const other = await secure(socket, 'w.vault.azure.net')
    expect((await ask({ socket: other, path: '/keys', headers: { host: 'v.vault.azure.net' } })).status).toBe(421)
    expect(seen).toEqual([])
  })

  it('is known by its name whatever its case, and with a port', async () => {
    const { socket } = await openTunnel('V.Vault.Azure.Net:443')
    const tls = await secure(socket, 'v.vault.azure.net')
    expect((await ask({ socket: tls, path: '/keys', headers: { host: 'V.VAULT.azure.net:443' } })).status).toBe(201)
  })

  it.each([
    ['no Host', ''],
    ['two', 'Host: v.vault.azure.net\r\nHost: w.vault.azure.net\r\n'],
    ['the same twice', 'Host: v.vault.azure.net\r\nHost: v.vault.azure.net\r\n'],
    ['a path in it', 'Host: v.vault.azure.net/keys/other?\r\n'],
    ['a user in it', 'Host: w.vault.azure.net@v.vault.azure.net\r\n'],
    ['a fragment in it', 'Host: v.vault.azure.net#\r\n'],
    ['another form of an address', 'Host: [::ffff:169.254.169.254]%25lo\r\n'],
  ])('is refused with %s in its head', async (_, host) => {
    const tls = await secure(connect(port, '127.0.0.1'), 'localhost')
    const answer = await sendRaw(tls, `GET /keys HTTP/1.1\r\n${host}Connection: close\r\n\r\n`)
    expect(answer).toMatch(/^HTTP\/1\.1 400 /)
    expect(seen).toEqual([])
  })

  it.each(['169.254.169.254.', '0xA9FEA9FE', '2852039166', '0251.0376.0251.0376', '169.254.43518'])(
    'reaches no metadata from the direct port as %s',
    async (host) => {
      const tls = await secure(connect(port, '127.0.0.1'), 'localhost')
      expect((await ask({ socket: tls, path: '/metadata', headers: { host } })).status).toBeGreaterThanOrEqual(403)
      expect(seen).toEqual([])
    },
  )

  it.each(['v.vault.azure.net.', '2852039166', '[::ffff:169.254.169.254]', 'vault.azure.net', 'v.vault.azure.net@x'])(
    'opens no tunnel to %s',
    async (host) => expect((await openTunnel(`${host}:443`)).status).toBe(403),
  )

  it('is not smuggled behind another one: both lengths, an obsolete fold, a bare line feed', async () => {
    const heads = [
      'Content-Length: 3\r\nTransfer-Encoding: chunked\r\n',
      'Transfer-Encoding: chunked, identity\r\n',
      'Content-Length: 3\r\nContent-Length: 4\r\n',
      'X: a\r\n Content-Length: 3\r\n',
      'Content-Length : 3\r\n',
      'X: a\nContent-Length: 3\r\n',
    ]
    for (const head of heads) {
      const tls = await secure(connect(port, '127.0.0.1'), 'v.vault.azure.net')
      const first = `POST /keys HTTP/1.1\r\nHost: v.vault.azure.net\r\n${head}\r\n`
      const answer = await sendRaw(
        tls,
        `${first}0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: v.vault.azure.net\r\nConnection: close\r\n\r\n`,
      )
      expect([head, answer.slice(0, 12)]).toEqual([head, 'HTTP/1.1 400'])
    }
    expect(seen.filter(({ url }) => url.includes('smuggled'))).toEqual([])
  })
})

describe('the control routes', () => {
  const authorization = `Bearer ${credential.controlToken}`

  it('answer a local program that knows the credential', async () => {
    const answer = await ask({ path: '/.skerry/status', headers: { authorization } })
    expect(answer).toMatchObject({ status: 200, body: '{"asked":"/.skerry/status"}' })
  })

  it.each([
    ['no credential', 401, {}],
    ['a wrong credential', 401, { authorization: 'Bearer x' }],
    ['the proxy’s credential', 401, { authorization: basic(credential.userInfo()) }],
    ['a page in a browser', 403, { authorization, origin: 'http://localhost:3000' }],
    ['a name that was made to lead here', 403, { authorization, host: 'evil.example' }],
  ])('refuse %s', async (_, status, headers) => {
    expect((await ask({ path: '/.skerry/status', headers })).status).toBe(status)
  })

  it('are all that the plain port serves', async () => {
    expect((await ask({ path: '/keys', headers: { authorization } })).status).toBe(404)
  })
})

describe('listening', () => {
  it('names --port when the port is in use', async () => {
    const other = createWireDoor({
      dispatcher: world.dispatcher,
      authority: world.ctx.authority,
      journal: world.ctx.journal,
      credential,
      control: async () => new Response(),
    })
    const listening = other.listen(port)
    await expect(listening).rejects.toThrow(PortInUseError)
    await expect(listening).rejects.toThrow(/--port/)
  })

  it.each([
    ['before it has said anything', ''],
    ['in the middle of a handshake', '\u0016\u0003\u0001'],
    ['in the middle of its head', 'GET http://169.254.169.254/ HTTP/1.1\r\nHost: '],
  ])('ends a connection that falls silent %s', async (_, words) => {
    await door.close()
    door = createWireDoor({ ...options, silenceMs: 20 })
    port = await door.listen()
    await sendRaw(connect(port, '127.0.0.1'), words)
  })

  it('ends while clients hold connections open', async () => {
    const { socket } = await openTunnel('v.vault.azure.net:443')
    const ended = new Promise((resolve) => socket.once('close', resolve))
    await door.close()
    await ended
  })
})
