import type { Clock } from '../clock.ts'
import { openDevice, type SnpDevice } from '../device/index.ts'
import type { Fetch } from '../http/upstream.ts'
import type { CertificateSource } from '../thim/source.ts'
import { readSecurityContext, type SecurityContext, uvmEndorsementsOf } from '../uvm/security-context.ts'
import { createCertificateCache } from './certificates.ts'
import type { AttestationContext } from './evidence.ts'

/** What is found by itself in a confidential container, and may be brought instead. */
export interface AttestationContextOptions {
  /** Default: opened by `openDevice()` at first use. */
  readonly device?: SnpDevice
  /** Default: read by `readSecurityContext()`. */
  readonly securityContext?: SecurityContext
  /** Who is asked for certificates that the context does not bring, or that are too old. Default: THIM. */
  readonly certificateSource?: CertificateSource
  /** For certificates; default: Node's `fetch`. */
  readonly fetch?: Fetch
  /** Default: the system's. */
  readonly clock?: Clock
  /** Told in words what is tried again, and why. Default: nobody. */
  readonly log?: (message: string) => void
}

/**
 * Puts together what this guest proves itself with. A device that cannot be opened is tried again at the next use: the
 * error goes to whoever asked for evidence.
 * @throws SecurityContextError
 */
export async function createAttestationContext(options: AttestationContextOptions = {}): Promise<AttestationContext> {
  const { fetch, clock, log } = options
  const securityContext = options.securityContext ?? (await readSecurityContext())
  let opened: Promise<SnpDevice> | undefined = options.device && Promise.resolve(options.device)
  const open = () => {
    opened ??= openDevice(clock === undefined ? {} : { clock }).catch((error) => {
      opened = undefined
      throw error
    })
    return opened
  }
  return {
    device: open,
    certificates: createCertificateCache({
      ...(securityContext.certification && { initial: securityContext.certification }),
      ...(fetch && { fetch }),
      ...(clock && { clock }),
      ...(options.certificateSource && { source: options.certificateSource }),
    }),
    uvmEndorsements: uvmEndorsementsOf(securityContext),
    ...(log && { log }),
  }
}
