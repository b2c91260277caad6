import { once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'

/*
 * A client that costs as little as a client can: one TLS connection that stays open, one request at a time, no more of
 * HTTP/1.1 than an answer with a Content-Length needs. What a load measures with it is the server.
 */

export interface Place {
  readonly port: number
  /** The host name of the Azure service: server name of the handshake, and Host header. */
  readonly host: string
  readonly ca: string
  /** `Proxy-Authorization`: the connection is a tunnel of the proxy on that port. Absent: TLS straight to the port. */
  readonly proxyAuthorization?: string
}

export interface Question {
  readonly method: string
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

export interface Answer {
  readonly status: number
  readonly text: string
}

export interface Connection extends Disposable {
  ask(question: Question): Promise<Answer>
  /** The same with the bytes of `encode`. */
  send(bytes: Buffer): Promise<Answer>
}

export function encode(host: string, { method, path, headers = {}, body = '' }: Question): Buffer {
  const lines = [`${method} ${path} HTTP/1.1`, `Host: ${host}`, `Content-Length: ${Buffer.byteLength(body)}`]
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`)
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`)
}

export async function connect(place: Place): Promise<Connection> {
  const tunnel = await openTunnel(place)
  const socket = connectTls({ socket: tunnel, servername: place.host, ca: place.ca, ALPNProtocols: ['http/1.1'] })
  await once(socket, 'secureConnect')
  const send = (bytes: Buffer) => exchange(socket, bytes)
  return {
    send,
    ask: (question) => send(encode(place.host, question)),
    [Symbol.dispose]: () => void socket.destroy(),
  }
}

async function openTunnel({ port, host, proxyAuthorization }: Place): Promise<Socket> {
  const socket = connectTcp({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  if (proxyAuthorization === undefined) return socket
  socket.write(
    `CONNECT ${host}:443 HTTP/1.1\r\nHost: ${host}:443\r\nProxy-Authorization: ${proxyAuthorization}\r\n\r\n`,
  )
  const [head] = (await once(socket, 'data')) as [Buffer]
  if (!head.toString('latin1').startsWith('HTTP/1.1 200')) throw new Error(`the proxy said ${head}`)
  return socket
}

function exchange(socket: TLSSocket, bytes: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let text = ''
    const done = (settle: () => void) => {
      socket.off('data', read).off('error', fail).off('close', closed)
      settle()
    }
    const fail = (error: Error) => done(() => reject(error))
    const closed = () => fail(new Error('the connection was closed before its answer was whole'))
    const read = (chunk: Buffer) => {
      text += chunk.toString('latin1')
      const end = text.indexOf('\r\n\r\n')
      if (end < 0) return
      const size = Number(/\r\ncontent-length: *(\d+)/i.exec(text)?.[1])
      if (!(text.length < end + 4 + size)) {
        done(() => resolve({ status: Number(text.slice(9, 12)), text: text.slice(end + 4) }))
      }
    }
    socket.on('data', read).on('error', fail).on('close', closed)
    socket.write(bytes)
  })
}
