import { randomBytes } from 'node:crypto'
import { TLSSocket } from 'node:tls'

declare module 'node:tls' {
  interface TLSSocket {
    /** Node has it, and `tls.connect` calls it; its types do not. */
    setSession(session: Buffer | string): void
  }
}

let kept = false

/**
 * MSW gives a TLS client the session `mocked session`. An agent offers it again with its next connection, OpenSSL cannot
 * read it and says so to nobody: the complaint (`asn1 encoding routines::too long`) waits in the thread's error queue, where
 * the next private key that is read takes it for its own, and where Node's web cryptography aborts the process over it. So
 * the queue is emptied after each session that a client offers, which the synchronous `randomBytes` does on its way.
 */
export function keepMockedSessionsFromOpenssl(): void {
  if (kept) return
  kept = true
  const { setSession } = TLSSocket.prototype
  TLSSocket.prototype.setSession = function (this: TLSSocket, session) {
    setSession.call(this, session)
    randomBytes(1)
  }
}
