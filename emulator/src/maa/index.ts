import type { EmulatorContext, Service } from '../core/index.ts'
import type { VirtualProcessor } from '../psp/types.ts'
import { createEvidenceVerifier, type EvidenceTrust } from './evidence/verifier.ts'
import { attestationRoutes } from './routes.ts'

export interface MaaOptions {
  /** Whose root and whose utility VM are trusted. */
  readonly psp: Pick<VirtualProcessor, 'arkSpkiSha256' | 'uvm'>
  /** Trust of another kind instead, such as AMD's own roots. */
  readonly trust?: EvidenceTrust
}

/**
 * Azure Attestation for SEV-SNP: verifies evidence and issues tokens. A provider answers when ARM holds it or when it is
 * one of the shared ones; its issuer is `https://` and the host name asked.
 */
export function createMaaService(ctx: EmulatorContext, options: MaaOptions): Service {
  let verifier: Promise<ReturnType<typeof createEvidenceVerifier>> | undefined
  const trust = async (): Promise<EvidenceTrust> => {
    if (options.trust !== undefined) return options.trust
    const { psp } = options
    const [ark, issuer] = await Promise.all([psp.arkSpkiSha256(), psp.uvm.issuer()])
    return { arkSpkiSha256: [ark], uvm: [{ issuer, feed: psp.uvm.feed }] }
  }
  const verifierOnce = () => {
    // A failure is not kept: the next request tries again.
    verifier ??= trust().then(createEvidenceVerifier)
    verifier.catch(() => {
      verifier = undefined
    })
    return verifier
  }
  const app = attestationRoutes(ctx, verifierOnce)
  return { name: 'maa', hosts: ['*.attest.azure.net'], handle: (request) => app.fetch(request) }
}

export type { EvidenceTrust } from './evidence/verifier.ts'
export { sharedProviderHosts } from './providers.ts'
