import {
  decodeOeReport,
  decodeSgxAttestRequest,
  encodeHex,
  type SgxAttestRequest,
  type SgxReportBody,
} from '@skerry/guest/wire'
import { malformed } from '../evidence/check.ts'
import type { Circumstances, EvidenceKind, Findings } from '../evidence-kind.ts'
import { oldClaimNames, quoteClaims } from './claims.ts'
import type { QuoteVerifier } from './verifier.ts'

/** The property of a policy that chooses the TCB baseline. Source: Microsoft Learn, "Custom TCB baseline enforcement". */
const TCB_IDENTIFIER = 'x-ms-sgx-tcbidentifier'
const REFUSAL = 'The SGX attestation evidence is invalid.'

/** Quotes of SGX enclaves. */
export function sgxEnclaveKind(verifier: QuoteVerifier): EvidenceKind<SgxAttestRequest> {
  return {
    type: 'SgxEnclave',
    read: (body) => decodeSgxAttestRequest('quote', body),
    verify: async (request, circumstances) => verifyQuote(verifier, request, circumstances),
  }
}

/** Quotes of SGX enclaves behind the header of the Open Enclave SDK. */
export function openEnclaveKind(verifier: QuoteVerifier): EvidenceKind<SgxAttestRequest> {
  return {
    type: 'OpenEnclave',
    read: (body) => decodeSgxAttestRequest('report', body),
    async verify(request, circumstances) {
      let quote: Uint8Array
      try {
        quote = decodeOeReport(request.evidence)
      } catch (error) {
        const hint = 'send the remote report as oe_get_report returned it; a bare quote goes to /attest/SgxEnclave'
        const failure = malformed('report', 'a remote report of Open Enclave', error, hint)
        return { checks: [failure], verified: false, about: 'an Open Enclave report', refusal: REFUSAL }
      }
      return verifyQuote(verifier, { ...request, evidence: quote }, circumstances)
    },
  }
}

async function verifyQuote(
  verifier: QuoteVerifier,
  { evidence: quote, runtimeData, initTimeData }: SgxAttestRequest,
  { atMs, properties }: Circumstances,
): Promise<Findings> {
  const baseline = String(properties.get(TCB_IDENTIFIER) ?? 'azuredefault')
  const data = {
    ...(runtimeData !== undefined && { runtimeData }),
    ...(initTimeData !== undefined && { initTimeData }),
  }
  const found = await verifier.verify({ quote, ...data }, baseline, atMs)
  const { report, checks, verified } = found
  if (report === undefined) return { checks, verified: false, about: 'an SGX quote', refusal: REFUSAL }
  const claims = verified ? quoteClaims({ ...found, report, quote, baseline, ...data }) : undefined
  return {
    checks,
    verified,
    subject: encodeHex(report.mrEnclave),
    about: aboutEnclave(report),
    refusal: REFUSAL,
    details: { mrSigner: encodeHex(report.mrSigner), productId: report.isvProductId, svn: report.isvSvn },
    ...(claims !== undefined && { claims, aliases: oldClaimNames(claims) }),
  }
}

function aboutEnclave({ mrEnclave }: SgxReportBody): string {
  return `an enclave with measurement ${encodeHex(mrEnclave)}`
}
