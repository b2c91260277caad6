import { type DecodedSnpAttestRequest, decodeSnpAttestRequest, encodeHex } from '@skerry/guest/wire'
import { evidenceClaims } from './claims.ts'
import type { EvidenceVerifier } from './evidence/verifier.ts'
import type { EvidenceKind } from './evidence-kind.ts'

/** Reports of the AMD processor, as confidential container groups send them. */
export function sevSnpKind(verifier: EvidenceVerifier): EvidenceKind<DecodedSnpAttestRequest> {
  return {
    type: 'SevSnpVm',
    read: decodeSnpAttestRequest,
    async verify(request, { atMs }) {
      const evidence = await verifier.verify(request, atMs)
      const { report, product, checks } = evidence
      const verified = evidence.verified && report !== undefined && product !== undefined
      const hostData = report === undefined ? undefined : encodeHex(report.hostData)
      return {
        checks,
        verified,
        about: hostData === undefined ? 'SEV-SNP evidence' : `a guest with host data ${hostData}`,
        refusal: 'The SEV-SNP attestation evidence is invalid.',
        ...(verified && { claims: evidenceClaims({ ...evidence, report, product }) }),
        ...(report !== undefined && { subject: encodeHex(report.reportId), details: { hostData } }),
      }
    },
  }
}
