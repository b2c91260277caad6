import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import { createAttestationContext } from '../attest/context.ts'
import { type Clock, systemClock } from '../clock.ts'
import type { SnpDevice } from '../device/index.ts'
import type { Fetch } from '../http/upstream.ts'
import { createVaultCredential, type TokenSource } from '../identity/vault-token.ts'
import { defaultTrustStore, type TrustStore } from '../skr/trust-store.ts'
import { createWrappingKeys } from '../skr/wrapping-key.ts'
import { readSecurityContext, type SecurityContext } from '../uvm/security-context.ts'
import { createSidecar } from './app.ts'
import { createLog, logSink } from './log.ts'
import type { SidecarSettings } from './settings.ts'

export interface StartSidecarOptions extends Partial<SidecarSettings> {
  /** Default: the SNP device of this machine, opened at first use. */
  readonly device?: SnpDevice
  /** Default: read from the environment and the file system. */
  readonly securityContext?: SecurityContext
  /** Default: the identity of this container. */
  readonly credential?: TokenSource
  readonly trust?: TrustStore
  readonly fetch?: Fetch
  readonly clock?: Clock
  /** Gets the log's lines; default: `logFile`, else standard error. */
  readonly write?: (line: string) => void
}

export interface Sidecar extends AsyncDisposable {
  readonly port: number
  /** Stops listening, and closes the device unless it was brought. */
  stop(): Promise<void>
}

const PREPARE_IDENTITY_AFTER_MS = 1000

/**
 * Serves the sidecar's API on the loopback address. It listens first and prepares afterwards: wrapping keys,
 * certificates, the identity library.
 * @throws SecurityContextError; an error with code EADDRINUSE when the port is taken
 */
export async function startSidecar(options: StartSidecarOptions = {}): Promise<Sidecar> {
  const { clock = systemClock, port: wantedPort = 8080, logLevel, clientId, fetch, device } = options
  const log = createLog({
    write: options.write ?? logSink(options.logFile),
    clock,
    ...(logLevel && { level: logLevel }),
  })
  const securityContext = options.securityContext ?? (await readSecurityContext())
  log('info', `Security context from ${securityContext.source}`)
  const context = await createAttestationContext({
    securityContext,
    clock,
    log: (message) => log('debug', message),
    ...(device && { device }),
    ...(fetch && { fetch }),
  })
  const wrappingKeys = createWrappingKeys()
  const credential = options.credential ?? createVaultCredential(clientId === undefined ? {} : { clientId })
  const stopping = new AbortController()
  const app = createSidecar({
    context,
    wrappingKeys,
    credential,
    clock,
    log,
    ...(securityContext.referenceInfoBase64 !== undefined && {
      referenceInfoBase64: securityContext.referenceInfoBase64,
    }),
    ...(options.trust && { trust: options.trust }),
    ...(fetch && { fetch }),
  })
  const { server, port } = await listen(app.fetch, wantedPort)
  log('info', `Listening on localhost:${port}`)

  // All of this is needed for the first release and none of it for an answer to /status.
  wrappingKeys.fill()
  if (options.trust === undefined) setImmediate(defaultTrustStore)
  // Loading the identity library holds the event loop for a while: not in the first second, when clients ask for /status.
  void clock.sleep(PREPARE_IDENTITY_AFTER_MS, stopping.signal).then(
    () => credential.prepare?.(),
    () => undefined,
  )
  context.certificates.current().catch((error: Error) => log('warning', `no certificates yet: ${error.message}`))
  const opened = context.device().catch((error: Error) => log('error', `no reports can be had: ${error.message}`))

  const stop = async () => {
    stopping.abort()
    await new Promise<void>((done) => {
      server.close(() => done())
      if ('closeAllConnections' in server) server.closeAllConnections()
    })
    // A device that was brought is its bringer's to close.
    if (device === undefined) (await opened)?.close()
  }
  return { port, stop, [Symbol.asyncDispose]: stop }
}

async function listen(fetch: (request: Request) => Response | Promise<Response>, port: number) {
  // The address, not the name: an isolated group may have no resolver, and nothing but loopback may ever reach this.
  const server = serve({ fetch, port, hostname: '127.0.0.1' })
  await new Promise<void>((done, fail) => {
    server.once('listening', done)
    server.once('error', fail)
  })
  return { server, port: (server.address() as AddressInfo).port }
}
