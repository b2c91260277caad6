import { createHash } from 'node:crypto'
import {
  type AttestedData,
  type DecodedSnpAttestRequest,
  decodeUtf8,
  encodeHex,
  type SnpProduct,
  type SnpReport,
  type UvmEndorsement,
} from '@skerry/guest/wire'
import { DEEPEST_JSON, isNestedDeeper } from '../../core/json-depth.ts'
import { boundedCache } from './bounded-cache.ts'
import { checkValidity, type EndorsementChain, verifyChain } from './chain.ts'
import { allMet, type Check, check } from './check.ts'
import { readReport, verifyReport } from './report.ts'
import { checkMeasurement, isVerified, type UvmTrust, type VerifiedEndorsement, verifyEndorsement } from './uvm.ts'

/** What a verifier believes without proof. */
export interface EvidenceTrust {
  /** SHA-256 of the SubjectPublicKeyInfo of each trusted ARK, lower-case hex. */
  readonly arkSpkiSha256: readonly string[]
  readonly uvm: readonly UvmTrust[]
}

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
 */
export function createEvidenceVerifier(trust: EvidenceTrust): EvidenceVerifier {
  const roots = new Set(trust.arkSpkiSha256)
  const chains = boundedCache<EndorsementChain>(KEPT)
  const endorsements = boundedCache<Promise<VerifiedEndorsement>>(KEPT)
  return {
    async verify(request, atMs) {
      const { report, checks: formChecks } = readReport(request.report)
      const chain = chains.get(request.certificateChainPem, () => verifyChain(request.certificateChainPem, roots))
      const checks: Check[] = [...formChecks, ...chain.checks]
      if (chain.certificates.length > 0) checks.push(checkValidity(chain, atMs))
      if (report !== undefined && chain.certificates.length > 0) {
        checks.push(...(await verifyReport(request.report, report, chain)))
      }
      const runtime = bind('runtimeData', request.runtimeData)
      const initTime = bind('initTimeData', request.initTimeData)
      checks.push(...runtime.checks, ...initTime.checks)
      if (report !== undefined && runtime.digest !== undefined) checks.push(checkReportData(report, runtime.digest))
      if (report !== undefined && initTime.digest !== undefined) checks.push(checkHostData(report, initTime.digest))

      const verified = await Promise.all(
        request.uvmEndorsements.map((cose) => endorsements.get(cose, () => verifyEndorsement(cose, trust.uvm))),
      )
      checks.push(...verified.flatMap((one) => one.checks))
      const decoded = verified.flatMap(({ endorsement }) => (endorsement === undefined ? [] : [endorsement]))
      if (report !== undefined && decoded.length > 0) checks.push(checkMeasurement(decoded, report.measurement))
      const uvm =
        report &&
        verified.find((one) => isVerified(one) && checkMeasurement([one.endorsement!], report.measurement).met)
      return {
        checks,
        verified: allMet(checks),
        ...(report !== undefined && { report }),
        ...(chain.product !== undefined && { product: chain.product }),
        ...(uvm?.endorsement !== undefined && { uvm: uvm.endorsement }),
        ...(runtime.parsed !== undefined && { runtime: runtime.parsed }),
        ...(initTime.parsed !== undefined && { initTime: initTime.parsed }),
      }
    },
  }
}

interface Binding {
  readonly checks: Check[]
  /** SHA-256 of the bytes as they were sent. */
  readonly digest?: string
  readonly parsed?: { readonly value: unknown }
}

function bind(name: string, attested: AttestedData | undefined): Binding {
  if (attested === undefined) return { checks: [] }
  const digest = createHash('sha256').update(attested.data).digest('hex')
  if (attested.dataType === 'Binary') return { checks: [], digest }
  try {
    const text = decodeUtf8(attested.data)
    if (isNestedDeeper(text, DEEPEST_JSON)) throw new RangeError('nested too deeply to be a claim')
    return { checks: [], digest, parsed: { value: JSON.parse(text) } }
  } catch {
    const hint = `dataType says JSON: send JSON text of at most ${DEEPEST_JSON} levels, or say Binary`
    return { checks: [check(`${name}.json`, 'JSON text in UTF-8', 'something else', false, hint)], digest }
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
