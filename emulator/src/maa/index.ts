import type { EmulatorContext, Service } from '../core/index.ts'
import { createTokenVerifier, type TokenVerifier } from '../entra/index.ts'
import type { VirtualProcessor } from '../psp/types.ts'
import { type Authorizer, createAuthorizer } from '../rbac/index.ts'
import { attestCalls } from './attest-calls.ts'
import { createGate } from './caller.ts'
import { type EvidenceTrust, evidenceTrust } from './evidence/trust.ts'
import { createEvidenceVerifier } from './evidence/verifier.ts'
import type { EvidenceKind } from './evidence-kind.ts'
import { attestationRoutes } from './routes.ts'
import { serviceEvidence } from './service-evidence.ts'
import {
  createQuoteVerifier,
  createSgxPlatform,
  openEnclaveKind,
  type SgxPlatform,
  type SgxTrust,
  sgxEnclaveKind,
  sgxTrust,
} from './sgx/index.ts'
import { sevSnpKind } from './snp.ts'

export interface MaaOptions {
  /** Whose root and whose utility VM are trusted, and where the service itself runs. */
  readonly psp: Pick<VirtualProcessor, 'trustAnchors' | 'uvm' | 'launch' | 'thim'>
  /** Trust of another kind instead, such as AMD's own roots. */
  readonly trust?: EvidenceTrust
  /** Whose SGX root is trusted; absent: a platform of this instance's. */
  readonly sgx?: SgxPlatform
  /** Trust of another kind instead, such as Intel's root with collateral of its time. */
  readonly sgxTrust?: SgxTrust
  /** Who administrators are and what they may; absent: as Entra and Resource Manager of this emulator say. */
  readonly tokens?: TokenVerifier
  readonly authorizer?: Authorizer
}

/**
 * Azure Attestation: verifies evidence, applies the policy of the provider and issues tokens. A provider answers when
 * ARM holds it or when it is one of the shared ones; its issuer is `https://` and the host name asked.
 */
export function createMaaService(ctx: EmulatorContext, options: MaaOptions): Service {
  const { psp, tokens = createTokenVerifier(ctx), authorizer = createAuthorizer(ctx) } = options
  // Asked for with each piece of evidence: what is trusted is made then, not at start.
  const trust = async () => options.trust ?? (await evidenceTrust(ctx.settings.attestation, psp))
  const { sgx = createSgxPlatform(ctx) } = options
  const quotes = createQuoteVerifier(async () => options.sgxTrust ?? (await sgxTrust(ctx.settings.attestation, sgx)))
  const kinds = [
    sevSnpKind(createEvidenceVerifier(trust)),
    sgxEnclaveKind(quotes),
    openEnclaveKind(quotes),
  ] as readonly EvidenceKind[]
  const gate = createGate(ctx, { tokens, authorizer })
  const calls = attestCalls(ctx, kinds)
  const app = attestationRoutes(ctx, { calls, gate, evidence: serviceEvidence(psp) })
  return {
    name: 'maa',
    hosts: ['*.attest.azure.net'],
    handle: (request) => app.fetch(request),
    answer: calls.answer,
    answers: calls.covers,
  }
}

export type { EvidenceTrust } from './evidence/trust.ts'
export { rollSigningKey } from './key-ring.ts'
export { PolicySignerError, registerSigners } from './policies/signers.ts'
export { forgetProvider } from './policies/state.ts'
export { sharedProviderHosts } from './providers.ts'
