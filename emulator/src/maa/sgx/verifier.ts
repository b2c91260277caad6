import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { promisify } from 'node:util'
import {
  type AttestedData,
  decodeSgxQuote,
  encodeBase64Url,
  encodeHex,
  SGX_CERTIFICATION_PCK_CHAIN,
  SGX_FLAG_KSS,
  SGX_QUOTE_SIGNED_SIZE,
  type SgxQuote,
  type SgxReportBody,
} from '@skerry/guest/wire'
import { bindData } from '../evidence/attested-data.ts'
import { boundedCache } from '../evidence/bounded-cache.ts'
import { allMet, type Check, check, malformed } from '../evidence/check.ts'

import type { SgxCollateral } from './collateral.ts'
import { evaluate } from './evaluation.ts'
import { checkDates, findRoot, isP256, type PckChain, verifyPckChain } from './pck-chain.ts'
import type { SgxTrust, TrustedSgxRoot } from './trust.ts'

const verifyAsync = promisify(verify)

/** What is to be verified: a quote, and the data that it is said to speak of. */
export interface QuoteEvidence {
  readonly quote: Uint8Array
  readonly runtimeData?: AttestedData
  readonly initTimeData?: AttestedData
}

export interface QuoteFindings {
  /** Every check that could be made, met or not, in order. */
  readonly checks: readonly Check[]
  readonly verified: boolean
  readonly report?: SgxReportBody
  /** What it was evaluated against; absent: nothing (see `TrustedSgxRoot`). */
  readonly collateral?: SgxCollateral
  /** Parsed, when it was sent as JSON. */
  readonly runtime?: { readonly value: unknown }
  readonly initTime?: { readonly value: unknown }
}

export interface QuoteVerifier {
  /**
   * @param baseline TCB baseline that the policy asks for: `azuredefault` or a number
   * @param atMs the time for all validities, milliseconds since the epoch
   */
  verify(evidence: QuoteEvidence, baseline: string, atMs: number): Promise<QuoteFindings>
}

/** How many certificate chains are kept, verified: a platform has one. */
const KEPT = 64

/**
 * Verifies quotes as Azure Attestation does: form, chain, signatures, collateral, bindings. All checks are made, so that a
 * refusal can name everything that was wrong.
 * @param trust asked anew for each quote
 */
export function createQuoteVerifier(trust: () => Promise<SgxTrust>): QuoteVerifier {
  const chains = boundedCache<PckChain>(KEPT)
  return {
    async verify(evidence, baseline, atMs) {
      const runtime = bindData('runtimeData', evidence.runtimeData)
      const initTime = bindData('initTimeData', evidence.initTimeData)
      let quote: SgxQuote
      try {
        quote = decodeSgxQuote(evidence.quote)
      } catch (error) {
        const hint = 'send the quote as the quoting library returned it'
        const failure = malformed('quote', 'an SGX quote of version 3 (ECDSA P-256)', error, hint)
        return { checks: [failure, ...runtime.checks, ...initTime.checks], verified: false }
      }
      const { report } = quote
      const checks: Check[] = [checkCertificationType(quote)]
      let collateral: SgxCollateral | undefined
      if (quote.certificationDataType === SGX_CERTIFICATION_PCK_CHAIN) {
        const chain = chains.get(quote.certificationData, () => verifyPckChain(quote.certificationData))
        checks.push(...chain.checks)
        if (chain.certificates.length > 0) {
          const { check, root } = findRoot(chain, await trust())
          checks.push(check, checkDates('certificates.validity', chain.certificates, atMs))
          checks.push(await checkQeSignature(quote, chain))
          const found = await checkCollateral(quote, chain, root, baseline, atMs)
          collateral = found.collateral
          checks.push(...found.checks)
        }
      }
      checks.push(checkQeBinding(quote), await checkQuoteSignature(evidence.quote, quote))
      checks.push(...runtime.checks, ...initTime.checks)
      if (runtime.digest !== undefined) checks.push(checkReportData(report, runtime.digest))
      if (initTime.digest !== undefined) checks.push(checkConfigId(report, initTime.digest))
      return {
        checks,
        verified: allMet(checks),
        report,
        ...(collateral !== undefined && { collateral }),
        ...(runtime.parsed !== undefined && { runtime: runtime.parsed }),
        ...(initTime.parsed !== undefined && { initTime: initTime.parsed }),
      }
    },
  }
}

function checkCertificationType({ certificationDataType }: SgxQuote): Check {
  return check(
    'quote.certificationDataType',
    SGX_CERTIFICATION_PCK_CHAIN,
    certificationDataType,
    certificationDataType === SGX_CERTIFICATION_PCK_CHAIN,
    'make the quote where the quoting library finds the PCK certificate (the DCAP client of Azure)',
  )
}

const QE_HINT = 'the quote was altered after the quoting enclave made it'

async function checkQeSignature(quote: SgxQuote, chain: PckChain): Promise<Check> {
  const leaf = chain.certificates[0]!
  const wanted = "the quoting enclave's report signed by the PCK"
  const met = isP256(leaf) && (await isSigned(quote.qeReportBytes, quote.qeReportSignature, leaf.publicKey))
  return check('qe.signature', wanted, met ? wanted : 'a signature that does not verify', met, QE_HINT)
}

function checkQeBinding({ attestationKey, qeAuthData, qeReport }: SgxQuote): Check {
  const digest = createHash('sha256').update(attestationKey).update(qeAuthData).digest('hex')
  const wanted = digest + '00'.repeat(32)
  const found = encodeHex(qeReport.reportData)
  return check('qe.reportData', wanted, found, found === wanted, QE_HINT)
}

async function checkQuoteSignature(bytes: Uint8Array, quote: SgxQuote): Promise<Check> {
  const wanted = 'a signature by the attestation key of the quote'
  const key = attestationKey(quote)
  if (key === undefined) {
    return check('quote.signature', wanted, 'an attestation key that is no point of P-256', false, QE_HINT)
  }
  const met = await isSigned(bytes.subarray(0, SGX_QUOTE_SIGNED_SIZE), quote.signature, key)
  return check('quote.signature', wanted, met ? wanted : 'a signature that does not verify', met, QE_HINT)
}

function isSigned(bytes: Uint8Array, signature: Uint8Array, key: KeyObject): Promise<boolean> {
  return verifyAsync('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' }, signature)
}

function attestationKey({ attestationKey }: SgxQuote): KeyObject | undefined {
  const x = encodeBase64Url(attestationKey.subarray(0, 32))
  const y = encodeBase64Url(attestationKey.subarray(32))
  try {
    return createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' })
  } catch {
    return undefined
  }
}

async function checkCollateral(
  quote: SgxQuote,
  { certificates, extensions }: PckChain,
  root: TrustedSgxRoot | undefined,
  baseline: string,
  atMs: number,
): Promise<{ readonly checks: Check[]; readonly collateral?: SgxCollateral }> {
  // Whose collateral would it be, without a trusted root.
  if (root === undefined || extensions === undefined) return { checks: [] }
  if (root.collateral === undefined) {
    const without = 'not evaluated: no collateral is configured for this root'
    return { checks: [check('collateral', without, without, true, '')] }
  }
  const platform = { fmspc: encodeHex(extensions.fmspc), pceId: encodeHex(extensions.pceId) }
  const collateral = await root.collateral({ ...platform, baseline })
  const wanted = `collateral of platform ${platform.fmspc}, PCE ${platform.pceId}, by baseline ${baseline}`
  if (collateral === undefined) {
    const hint = 'the policy chooses the baseline (x-ms-sgx-tcbidentifier): azuredefault, or a number from 10 to 15'
    return { checks: [check('collateral', wanted, 'none', false, hint)] }
  }
  const checks = [check('collateral', wanted, wanted, true, '')]
  return { collateral, checks: [...checks, ...evaluate({ ...quote, certificates, extensions }, collateral, atMs)] }
}

function checkReportData({ reportData }: SgxReportBody, digest: string): Check {
  const wanted = digest + '00'.repeat(32)
  const found = encodeHex(reportData)
  const hint = 'ask for the quote with SHA-256 of the runtime data (the bytes exactly as sent) as report data'
  return check('report.reportData', wanted, found, found === wanted, hint)
}

/** Init time data is bound by the configuration of an enclave, which only processors with KSS have. */
function checkConfigId({ flags, configId }: SgxReportBody, digest: string): Check {
  if ((flags & SGX_FLAG_KSS) === 0n) {
    const hint = 'leave out initTimeData: this enclave has no configuration id that could bind it'
    return check('report.configId', digest, 'an enclave without key separation and sharing', false, hint)
  }
  const found = encodeHex(configId.subarray(0, 32))
  const hint = 'the init time data is not what the enclave was configured with'
  return check('report.configId', digest, found, found === digest, hint)
}
