import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTcpServer, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { Caller, CertificateAuthority, Dispatcher, Journal, PlainAnswerer, PlainRequest } from '../core/index.ts'
import { NOT_EMULATED } from '../core/index.ts'
import { SNP_PRODUCTS } from '../psp/products.ts'
import { answerControl, isLocalControl, refuseControl, WRONG_CREDENTIAL } from './control-requests.ts'
import type { InstanceCredential } from './credential.ts'
import type { LocalRoutes } from './local-routes.ts'
import { BadRequestError, requestUrl, sendPlainAnswer, sendResponse, toPlainRequest, toRequest } from './node-http.ts'
import { isOwnUser } from './peer-user.ts'
import { requestAuthority } from './request-host.ts'
import { createTlsEnd } from './tls.ts'

/*
 * The door over the wire: one loopback port that is an HTTP proxy, a TLS server for Azure's names, and the place of the
 * control routes. Whatever it does not emulate it refuses; it never opens a connection to anywhere.
 */

export interface WireOptions {
  readonly dispatcher: Dispatcher
  readonly authority: CertificateAuthority
  readonly journal: Journal
  readonly credential: InstanceCredential
  /** Answers the control routes; the door has checked that the caller is this machine and knows the credential. */
  readonly control: (request: Request) => Promise<Response>
  /** The same in plain parts, for what of it is asked often. */
  readonly plainControl?: (method: string, url: URL) => PlainAnswerer | undefined
  /** Answers what is not for the credential's holder alone; the door has checked the Host header. */
  readonly local?: LocalRoutes
  /** Whether a client may speak TLS straight to the port, without the credential. Default: programs of this user and root's. */
  readonly mayConnect?: (socket: Socket) => Promise<boolean>
  /** How long a connection may say nothing, in milliseconds. */
  readonly silenceMs?: number
}

export interface WireDoor {
  /** Listens on 127.0.0.1; resolves to the port. Port 0 (the default) lets the system choose. @throws PortInUseError */
  listen(port?: number): Promise<number>
  /** The listener for a container group's own network: hand it each connection with the port that was meant. */
  attachGroup(groupId: string): (socket: Socket, port: 443 | 80) => void
  /** Ends every connection. */
  close(): Promise<void>
}

/** Thrown when the port that was asked for is taken. */
export class PortInUseError extends Error {
  readonly code = 'ERR_PORT_IN_USE'
  constructor(port: number) {
    super(`port ${port} on 127.0.0.1 is in use; choose another one with --port, or leave it out to get a free one`)
    this.name = 'PortInUseError'
  }
}

/** A client that keeps connections open and comes back within this time finds it open. Milliseconds. */
const KEEP_ALIVE_MS = 75_000

const PATIENCE = { keepAliveTimeout: KEEP_ALIVE_MS }

/**
 * How long a connection may say nothing: before its first byte, in a handshake, in the middle of a request (whose answer
 * may wait for keys that are being made). Milliseconds.
 */
const SILENCE_MS = 120_000
/** A program that holds more connections than this has lost count of them. */
const MOST_CONNECTIONS = 4096

/** The first byte of a TLS record that carries a handshake (RFC 8446, section 5.1). */
const TLS_HANDSHAKE = 0x16

/** What is known of a connection on which requests in origin form arrive. */
interface Origin {
  readonly scheme: 'http' | 'https'
  /** What the client asked to be connected to; the Host header may say more. */
  readonly hostname?: string
  readonly caller: Caller
  /** Came straight to the port, without the instance's credential. */
  readonly direct?: boolean
}

export function createWireDoor(options: WireOptions): WireDoor {
  const { dispatcher, credential, mayConnect = isOwnUser, silenceMs = SILENCE_MS } = options
  const tls = createTlsEnd(options.authority)
  const origins = new WeakMap<Duplex, Origin>()
  const open = new Set<Duplex>()

  const track = (socket: Duplex) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  }

  /** Requests in origin form: on a tunnel, on a direct TLS connection, out of a group's network. */
  const inner = createHttpServer(PATIENCE, (incoming, outgoing) => {
    const origin = origins.get(incoming.socket)
    if (origin === undefined) return void outgoing.writeHead(500).end()
    const serverName = (incoming.socket as Partial<TLSSocket>).servername || undefined
    const authority = () => `${origin.scheme}://${requestAuthority(incoming, [origin.hostname, serverName])}`
    const answer = (request: Request) => {
      const { hostname } = new URL(request.url)
      if (origin.direct === true && hostname === '169.254.169.254') return refuseDirectMetadata()
      return dispatcher.dispatch(request, origin.caller)
    }
    const answerPlainly = (url: URL) => {
      const plain = dispatcher.plainAnswer(incoming.method ?? 'GET', url)
      return plain === undefined ? undefined : (request: PlainRequest) => plain(request, origin.caller)
    }
    void serve(incoming, outgoing, authority, answer, answerPlainly)
  })

  inner.timeout = silenceMs

  const serveOrigin = (socket: Duplex, origin: Origin) => {
    if (origin.scheme === 'http') {
      origins.set(socket, origin)
      inner.emit('connection', socket)
    } else {
      tls.accept(socket, origin.hostname ?? '127.0.0.1', (secure) => {
        origins.set(secure, origin)
        inner.emit('connection', secure)
      })
    }
  }

  /** Requests to the proxy itself, and to its control routes. */
  const front = createHttpServer(PATIENCE, (incoming, outgoing) => {
    const target = incoming.url ?? '/'
    if (target.startsWith('/')) {
      const authority = () => `http://${requestAuthority(incoming, [])}`
      const answerPlainly = (url: URL) => {
        const plain = options.plainControl?.(incoming.method ?? 'GET', url)
        return plain && (async (request: PlainRequest) => refuseControl(request, options) ?? (await plain(request)))
      }
      const answer = (request: Request) => answerControl(request, options, () => mayConnect(incoming.socket))
      void serve(incoming, outgoing, authority, answer, answerPlainly)
      return
    }
    const client = credential.readProxyAuthorization(incoming.headers['proxy-authorization'])
    if (client === undefined) return refuseProxy(outgoing)
    const absolute = URL.canParse(target) ? new URL(target) : undefined
    if (absolute?.protocol !== 'http:') return void outgoing.writeHead(400).end(`cannot proxy ${target}\n`)
    // Only scheme and authority are taken off: path and query are passed on as they were sent.
    incoming.url = target.replace(/^http:\/\/[^/?#]*(?=(.?))/i, (_, next) => (next === '/' ? '' : '/'))
    void serve(
      incoming,
      outgoing,
      () => absolute.origin,
      (request) => {
        if (dispatcher.serviceFor(absolute.hostname) === undefined) noteRefusal(options.journal, absolute.hostname)
        return dispatcher.dispatch(request, callerOf(client))
      },
    )
  })

  front.timeout = silenceMs

  front.on('connect', (incoming: IncomingMessage, socket: Socket, head: Buffer) => {
    socket.on('error', () => socket.destroy())
    const client = credential.readProxyAuthorization(incoming.headers['proxy-authorization'])
    if (client === undefined) {
      return answerConnect(socket, 407, 'Proxy Authentication Required', WRONG_CREDENTIAL, PROXY_AUTHENTICATE)
    }
    const target = /^(.+):(\d+)$/.exec(incoming.url ?? '')
    const hostname = (target?.[1] ?? '').replace(/^\[(.*)\]$/, '$1').toLowerCase()
    if (dispatcher.serviceFor(hostname) === undefined) {
      noteRefusal(options.journal, hostname)
      return answerConnect(
        socket,
        403,
        'Forbidden',
        `${NOT_EMULATED}: Skerry does not emulate ${hostname} and forwards nothing.`,
      )
    }
    const port = target?.[2]
    if (port !== '443' && port !== '80') {
      return answerConnect(socket, 403, 'Forbidden', `Skerry answers for ${hostname} on ports 443 and 80, not ${port}.`)
    }
    socket.write('HTTP/1.1 200 Connection Established\r\n\r\n')
    if (head.length > 0) socket.unshift(head)
    serveOrigin(socket, { scheme: port === '443' ? 'https' : 'http', hostname, caller: callerOf(client) })
  })

  /** A program that `skerry run` started in a network of its own: its connections arrive over upgraded ones. */
  front.on('upgrade', (incoming: IncomingMessage, socket: Socket, head: Buffer) => {
    socket.on('error', () => socket.destroy())
    const [path = '', query] = (incoming.url ?? '').split('?')
    const port = /^\/\.skerry\/network\/(443|80)$/.exec(path)?.[1]
    const said = new URLSearchParams(query)
    const managedIdentityId = said.get('identity')
    const product = SNP_PRODUCTS.find((name) => name === said.get('product'))
    const trusted =
      isLocalControl(incoming.headers) && credential.isControlAuthorization(incoming.headers.authorization)
    if (!trusted) return answerConnect(socket, 401, 'Unauthorized', WRONG_CREDENTIAL)
    if (port === undefined) return answerConnect(socket, 404, 'Not Found', 'no such network port')
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: skerry-network\r\n\r\n')
    if (head.length > 0) socket.unshift(head)
    const caller: Caller = {
      door: 'wire',
      ...(managedIdentityId !== null && { managedIdentityId }),
      ...(product !== undefined && { product }),
    }
    serveOrigin(socket, { scheme: port === '443' ? 'https' : 'http', caller })
  })

  const listener = createTcpServer((socket) => {
    track(socket)
    socket.on('error', () => socket.destroy())
    socket.setTimeout(silenceMs, () => socket.destroy())
    socket.once('data', async (first) => {
      // The first byte tells a TLS client from a plain one; what was read goes back before the real server looks.
      socket.pause()
      socket.unshift(first)
      if (first[0] === TLS_HANDSHAKE) {
        // A plain client shows the credential; one of TLS cannot, but the system knows whose program it is.
        if (await mayConnect(socket)) serveOrigin(socket, { scheme: 'https', caller: { door: 'wire' }, direct: true })
        else socket.destroy()
      } else {
        front.emit('connection', socket)
        process.nextTick(() => socket.resume())
      }
    })
  })

  listener.maxConnections = MOST_CONNECTIONS

  return {
    listen: (port = 0) =>
      new Promise((resolve, reject) => {
        listener.once('error', (error: NodeJS.ErrnoException) =>
          reject(error.code === 'EADDRINUSE' ? new PortInUseError(port) : error),
        )
        listener.listen({ port, host: '127.0.0.1' }, () => resolve((listener.address() as { port: number }).port))
      }),
    attachGroup(groupId) {
      const caller: Caller = { door: 'group', containerGroupId: groupId.toLowerCase() }
      return (socket, port) => {
        track(socket)
        socket.on('error', () => socket.destroy())
        socket.setTimeout(silenceMs, () => socket.destroy())
        serveOrigin(socket, { scheme: port === 443 ? 'https' : 'http', caller })
      }
    },
    async close() {
      const closed = new Promise<void>((resolve) => (listener.listening ? listener.close(() => resolve()) : resolve()))
      for (const socket of open) socket.destroy()
      await closed
    },
  }
}

async function serve(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  origin: () => string,
  answer: (request: Request) => Response | Promise<Response>,
  answerPlainly?: (url: URL) => PlainAnswerer | undefined,
): Promise<void> {
  try {
    const url = requestUrl(incoming, origin())
    const plain = answerPlainly?.(url)
    if (plain !== undefined) {
      return sendPlainAnswer(outgoing, await plain(await toPlainRequest(incoming, url)), incoming.method ?? 'GET')
    }
    const gone = new AbortController()
    // An answer that was sent whole closes, too.
    outgoing.once('close', () => outgoing.writableFinished || gone.abort())
    const request = await toRequest(incoming, url, gone.signal)
    await sendResponse(outgoing, await answer(request), request.method)
  } catch (error) {
    if (outgoing.headersSent || outgoing.destroyed) return void outgoing.destroy()
    const status = error instanceof BadRequestError ? error.status : 500
    const code = error instanceof BadRequestError ? 'BadRequest' : 'InternalServerError'
    // What an unforeseen error says may repeat what was sent.
    const message = error instanceof BadRequestError ? error.message : 'An unexpected error occurred.'
    outgoing.writeHead(status, { 'content-type': 'application/json', connection: 'close' })
    outgoing.end(JSON.stringify({ error: { code, message } }))
  }
}

const PROXY_AUTHENTICATE = 'Proxy-Authenticate: Basic realm="Skerry"\r\n'

function refuseProxy(outgoing: ServerResponse): void {
  outgoing.writeHead(407, { 'proxy-authenticate': 'Basic realm="Skerry"', 'content-type': 'text/plain' })
  outgoing.end(`${WRONG_CREDENTIAL}\n`)
}

function answerConnect(socket: Duplex, status: number, reason: string, text: string, headers = ''): void {
  const body = `${text}\n`
  socket.end(
    `HTTP/1.1 ${status} ${reason}\r\n${headers}Content-Type: text/plain; charset=utf-8\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  )
}

function callerOf(client: { readonly groupId?: string }): Caller {
  return client.groupId === undefined ? { door: 'wire' } : { door: 'group', containerGroupId: client.groupId }
}

/** The instance metadata service trusts whoever reaches it, so that it answers only those who proved who they are. */
function refuseDirectMetadata(): Response {
  const message =
    'the instance metadata service is reached through the proxy, with its credential, or from inside a group'
  return Response.json({ error: { code: 'Forbidden', message } }, { status: 403 })
}

function noteRefusal(journal: Journal, hostname: string): void {
  journal.write({
    service: 'proxy',
    operation: 'connect',
    outcome: 'denied',
    subject: hostname,
    summary: `${hostname} is not emulated, and nothing is forwarded.`,
    action: 'Check the host name; what is emulated stands in the README of the emulator.',
  })
}
