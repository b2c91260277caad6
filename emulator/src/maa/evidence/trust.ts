import type { AttestationSettings, UvmEndorser } from '../../core/settings.ts'
import type { VirtualProcessor } from '../../psp/types.ts'
import type { TrustedRoot } from './chain.ts'

/** What a verifier believes without proof. */
export interface EvidenceTrust {
  readonly roots: readonly TrustedRoot[]
  readonly uvm: readonly UvmEndorser[]
}

/**
 * AMD's root keys: SHA-256 of the SubjectPublicKeyInfo (DER) of each product's ARK, as AMD publishes the certificates at
 * https://kdsintf.amd.com/vcek/v1/{product}/cert_chain. Bergamo and Siena have Genoa's.
 */
export const AMD_ROOTS: readonly TrustedRoot[] = [
  { product: 'Milan', arkSpkiSha256: '9f056bee44377e29308cb5ffa895bdfb62d18881fa6bed8d6f075b0204089cb9' },
  { product: 'Genoa', arkSpkiSha256: '429a69c9422aa258ee4d8db5fcda9c6470ef15f8cd5a9cebd6cbc7d90b863831' },
  { product: 'Turin', arkSpkiSha256: '4f125410563a2ab9a50356f9243f6fe0b6f73de98603f53f90339c70e9d7ad08' },
]

/** Who endorses the utility VM of confidential ACI in production. Source: Microsoft, "Confidential ACI scheme". */
export const MICROSOFT_UVM_ENDORSER: UvmEndorser = {
  issuer: 'did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s::eku:1.3.6.1.4.1.311.76.59.1.2',
  feed: 'ContainerPlat-AMD-UVM',
}

/** What the settings come to now: the processor is asked only when it is believed, and its roots may become more. */
export async function evidenceTrust(
  { trust, endorsers }: AttestationSettings,
  psp: TrustedProcessor,
): Promise<EvidenceTrust> {
  if (trust === 'amd') return { roots: AMD_ROOTS, uvm: endorsers }
  const [anchors, issuer] = await Promise.all([psp.trustAnchors(), psp.uvm.issuer()])
  return {
    roots: [...anchors, ...(trust === 'both' ? AMD_ROOTS : [])],
    uvm: [{ issuer, feed: psp.uvm.feed }, ...endorsers],
  }
}

/** What is asked of a virtual processor whose evidence is believed. */
export type TrustedProcessor = Pick<VirtualProcessor, 'trustAnchors'> & {
  readonly uvm: Pick<VirtualProcessor['uvm'], 'issuer' | 'feed'>
}
