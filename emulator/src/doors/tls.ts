import type { Duplex } from 'node:stream'
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls'
import { type CertificateAuthority, remembered } from '../core/index.ts'

/** Ends TLS with the emulator's own certificates: the name that the client sends (SNI) chooses which. */
export interface TlsEnd {
  /**
   * Wraps a connection. `fallbackName` chooses the certificate for a client that sends no name, as is the rule for
   * addresses. `ready` is called once the handshake is done; a failed one destroys the connection.
   */
  accept(socket: Duplex, fallbackName: string, ready: (socket: TLSSocket) => void): void
}

/** Clients name whatever vault they like: the names of many are made anew, those in use are kept. */
const MOST_CONTEXTS = 256

export function createTlsEnd(authority: CertificateAuthority): TlsEnd {
  // One context for each name: session tickets belong to a context, so that a client that comes back resumes.
  const contexts = new Map<string, Promise<SecureContext>>()
  const contextFor = (hostname: string) => {
    const name = hostname.toLowerCase()
    return remembered(contexts, name, MOST_CONTEXTS, () => {
      const started = authority.tlsFor(name).then((pair) => createSecureContext({ ...pair, minVersion: 'TLSv1.2' }))
      started.catch(() => contexts.delete(name))
      return started
    })
  }
  return {
    accept(socket, fallbackName, ready) {
      const giveUp = () => socket.destroy()
      socket.on('error', giveUp)
      contextFor(fallbackName).then((secureContext) => {
        if (socket.destroyed) return
        const secure = new TLSSocket(socket, {
          isServer: true,
          secureContext,
          ALPNProtocols: ['http/1.1'],
          SNICallback: (name, done) => {
            contextFor(name).then(
              (context) => done(null, context),
              (error: Error) => done(error),
            )
          },
        })
        secure.on('error', () => secure.destroy())
        secure.once('secure', () => ready(secure))
      }, giveUp)
    },
  }
}
