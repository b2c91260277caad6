import {
  type DecodedSnpAttestRequest,
  encodeHex,
  type SnpProduct,
  type SnpReport,
  type UvmEndorsement,
} from '@skerry/guest/wire'
import { bindData } from './attested-data.ts'
import { boundedCache } from './bounded-cache.ts'
import { type ParsedCertificate, readCertificate } from './certificates.ts'
import { checkRoot, checkValidity, type EndorsementChain, verifyChain } from './chain.ts'
import { allMet, type Check, check } from './check.ts'
import { readReport, verifyReport } from './report.ts'
import type { EvidenceTrust } from './trust.ts'
import { judgeEndorsements, type ReadEndorsement, readEndorsement } from './uvm.ts'

export type { EvidenceTrust } from './trust.ts'

export interface Evidence {
  /** Every check that could be made, met or not, in order. */
  readonly checks: readonly Check[]
  readonly verified: boolean
  readonly report?: SnpReport
  readonly product?: SnpProduct
  /** The endorsement of the launched image, verified. */
  readonly uvm?: UvmEndorsement
  /** Parsed, when it was sent as JSON. */
  readonly runtime?: { readonly value: unknown }
  readonly initTime?: { readonly value: unknown }
}

export interface EvidenceVerifier {
  /** @param atMs the time for the certificates' validity, milliseconds since the epoch */
  verify(request: DecodedSnpAttestRequest, atMs: number): Promise<Evidence>
}

/** How many chains and endorsements are kept, verified: a host has one of each. */
const KEPT = 64

/**
 * Verifies SNP evidence as Azure Attestation does: form, chain, report, bindings, endorsements. All checks are made, so
 * that a refusal can name everything that was wrong.
 * @param trust asked anew for each piece of evidence
 */
export function createEvidenceVerifier(trust: () => Promise<EvidenceTrust>): EvidenceVerifier {
  const certificates = boundedCache<ParsedCertificate>(KEPT)
  const read = (der: Uint8Array) => certificates.get(der, () => readCertificate(der))
  const chains = boundedCache<EndorsementChain>(KEPT)
  const endorsements = boundedCache<Promise<ReadEndorsement>>(KEPT)
  return {
    async verify(request, atMs) {
      const { roots, uvm: endorsers } = await trust()
      const { report, checks: formChecks } = readReport(request.report)
      const chain = chains.get(request.certificateChainPem, () => verifyChain(request.certificateChainPem, read))
      const checks: Check[] = [...formChecks, ...chain.checks]
      if (chain.certificates.length > 0) {
        checks.push(checkRoot(chain, roots), checkValidity(chain, atMs))
        checks.push(...verifyReport(request.report, report, chain))
      }
      const runtime = bindData('runtimeData', request.runtimeData)
      const initTime = bindData('initTimeData', request.initTimeData)
      checks.push(...runtime.checks)
      if (report !== undefined && runtime.digest !== undefined) checks.push(checkReportData(report, runtime.digest))
      checks.push(...initTime.checks)
      if (report !== undefined && initTime.digest !== undefined) checks.push(checkHostData(report, initTime.digest))

      const readings = await Promise.all(
        request.uvmEndorsements.map((cose) => endorsements.get(cose, () => readEndorsement(cose))),
      )
      const uvm = judgeEndorsements(readings, endorsers, report?.measurement)
      checks.push(...uvm.checks)
      return {
        checks,
        verified: allMet(checks),
        ...(report !== undefined && { report }),
        ...(chain.product !== undefined && { product: chain.product }),
        ...(uvm.endorsement !== undefined && { uvm: uvm.endorsement }),
        ...(runtime.parsed !== undefined && { runtime: runtime.parsed }),
        ...(initTime.parsed !== undefined && { initTime: initTime.parsed }),
      }
    },
  }
}

function checkReportData(report: SnpReport, digest: string): Check {
  const wanted = digest + '00'.repeat(32)
  const found = encodeHex(report.reportData)
  const hint =
    'ask for the report with SHA-256 of the runtime data (the bytes exactly as sent) and 32 zero bytes as report_data'
  return check('report.reportData', wanted, found, found === wanted, hint)
}

function checkHostData(report: SnpReport, digest: string): Check {
  const found = encodeHex(report.hostData)
  return check(
    'report.hostData',
    digest,
    found,
    found === digest,
    'the init time data is not what the guest was launched with',
  )
}
