import { createAttestationContext } from '../attest/context.ts'
import { type Clock, systemClock } from '../clock.ts'
import type { SnpDevice } from '../device/index.ts'
import { directFetch } from '../http/direct.ts'
import type { Fetch } from '../http/upstream.ts'
import { createVaultCredential, type TokenSource, vaultToken } from '../identity/vault-token.ts'
import { defaultTrustStore, type TrustStore } from '../skr/trust-store.ts'
import { createWrappingKeys, type WrappingKeys } from '../skr/wrapping-key.ts'
import { certCacheSource } from '../thim/certcache.ts'
import { readSecurityContext, type SecurityContext } from '../uvm/security-context.ts'
import { createLog, type Log, logSink } from './log.ts'
import type { SidecarOptions } from './operations.ts'
import type { ServerType, SidecarSettings } from './settings.ts'
import { DEFAULT_USER_AGENT, userAgentOf, withUserAgent } from './user-agent.ts'

/** The settings, and what is found by itself in a container and may be brought instead. */
export interface StartSidecarOptions extends Partial<SidecarSettings> {
  /** Default: the SNP device of this machine, opened at first use. */
  readonly device?: SnpDevice
  /** Default: read from the environment and the file system. */
  readonly securityContext?: SecurityContext
  /** Default: the identity of this container. */
  readonly credential?: TokenSource
  /** Default: a stock of its own. */
  readonly wrappingKeys?: WrappingKeys & { fill(): void }
  /** Roots that a vault's signature may chain to; default: those of TLS. */
  readonly trust?: TrustStore
  /** Default: Node's `fetch`. */
  readonly fetch?: Fetch
  /** Default: the system's. */
  readonly clock?: Clock
  /** Gets the log's lines; default: `logFile`, else standard error. */
  readonly write?: (line: string) => void
}

/** A sidecar that serves. */
export interface Sidecar extends AsyncDisposable {
  /** The one it listens on. */
  readonly port: number
  /** Stops listening, and closes the device unless it was brought. */
  stop(): Promise<void>
}

const PREPARE_IDENTITY_AFTER_MS = 1000

/**
 * Serves the sidecar's API, HTTP or gRPC, on the loopback address. It listens first and prepares afterwards: wrapping
 * keys, certificates, the identity library.
 * @throws SecurityContextError for an endorsement that is not base64; InvalidArgumentError for a certificate cache that is none; an error with code EADDRINUSE when the port is taken
 */
export async function startSidecar(options: StartSidecarOptions = {}): Promise<Sidecar> {
  const { clock = systemClock, port: wantedPort = 8080, serverType = 'http', logLevel, clientId, device } = options
  const log = createLog({
    write: options.write ?? logSink(options.logFile),
    clock,
    ...(logLevel && { level: logLevel }),
  })
  let userAgent = options.userAgent ?? DEFAULT_USER_AGENT
  const fetch = withUserAgent(options.fetch ?? directFetch, () => userAgent)
  const problem = ({ message }: Error) => log('warning', message)
  const securityContext = startingContext(options, options.securityContext ?? (await readSecurityContext({ problem })))
  log('info', `Security context from ${securityContext.source}`)
  const certificateSource = options.certCache && certCacheSource(options.certCache, { fetch, clock })
  const context = await createAttestationContext({
    securityContext,
    clock,
    fetch,
    log: (message) => log('debug', message),
    ...(device && { device }),
    ...(certificateSource && { certificateSource }),
  })
  const { wrappingKeys = createWrappingKeys({ clock }) } = options
  const credential = options.credential ?? createVaultCredential(clientId === undefined ? {} : { clientId })
  const stopping = new AbortController()
  const { port, close } = await listen(serverType, wantedPort, {
    context,
    wrappingKeys,
    credential,
    clock,
    log,
    fetch,
    ...(securityContext.referenceInfoBase64 !== undefined && {
      referenceInfoBase64: securityContext.referenceInfoBase64,
    }),
    ...(options.trust && { trust: options.trust }),
  })
  log('info', `Listening on localhost:${port}`)
  // All of this is needed for the first release and none of it for an answer to /status.
  wrappingKeys.fill()
  if (options.trust === undefined) setImmediate(defaultTrustStore)
  // Loading the identity library holds the event loop for a while: not in the first second, when clients ask for /status.
  void clock.sleep(PREPARE_IDENTITY_AFTER_MS, stopping.signal).then(
    async () => {
      if (options.userAgent === undefined) userAgent = await defaultUserAgent(credential, log)
      else credential.prepare?.()
    },
    () => undefined,
  )
  context.certificates.current().catch((error: Error) => log('warning', `no certificates yet: ${error.message}`))
  const opened = context.device().catch((error: Error) => log('error', `no reports can be had: ${error.message}`))

  const stop = async () => {
    stopping.abort()
    await close()
    // A device that was brought is its bringer's to close.
    if (device === undefined) (await opened)?.close()
  }
  return { port, stop, [Symbol.asyncDispose]: stop }
}

/** A TCB that no processor reports: the first evidence has the certificates asked for anew. */
const CORRUPTED_TCBM = 'FFFFFFFF'

function startingContext({ mismatchedTcb }: StartSidecarOptions, read: SecurityContext): SecurityContext {
  if (mismatchedTcb === undefined || read.certification === undefined) return read
  return { ...read, certification: { ...read.certification, tcbm: CORRUPTED_TCBM.padStart(16, '0') } }
}

/** As the original: which subscription asks is learnt from a token for the vault. Without an identity, nothing is said of it. */
async function defaultUserAgent(credential: TokenSource, log: Log): Promise<string> {
  try {
    const userAgent = userAgentOf(await vaultToken(credential, 'vault.azure.net'))
    log('info', `Default MAA User-Agent: ${userAgent}`)
    return userAgent
  } catch (error) {
    log('warning', `Default MAA User-Agent: ${DEFAULT_USER_AGENT}, since ${(error as Error).message}`)
    return DEFAULT_USER_AGENT
  }
}

interface Listening {
  readonly port: number
  close(): Promise<void>
}

/** Of the two, only what is asked for is loaded. */
async function listen(type: ServerType, port: number, options: SidecarOptions): Promise<Listening> {
  return type === 'grpc' ? await listenGrpc(port, options) : await listenHttp(port, options)
}

async function listenGrpc(wantedPort: number, options: SidecarOptions): Promise<Listening> {
  const [{ serveGrpc }, { createKeyProvider }, { createOperations }] = await Promise.all([
    import('./grpc/serve.ts'),
    import('./grpc/key-provider.ts'),
    import('./operations.ts'),
  ])
  const provider = createKeyProvider(createOperations(options))
  const { port, stop } = await serveGrpc({ provider, port: wantedPort, log: options.log })
  return { port, close: stop }
}

async function listenHttp(wantedPort: number, options: SidecarOptions): Promise<Listening> {
  const [{ serveHttp }, { createSidecar }] = await Promise.all([import('./serve.ts'), import('./app.ts')])
  return await serveHttp(createSidecar(options), wantedPort)
}
