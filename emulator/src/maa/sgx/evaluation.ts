import { verify } from 'node:crypto'
import {
  encodeHex,
  encodeUtf8,
  equalBytes,
  type PckExtensions,
  pemToDer,
  type SgxReportBody,
  WireError,
} from '@skerry/guest/wire'
import { namesIssuer, type ParsedCertificate, readCertificate } from '../evidence/certificates.ts'
import { allMet, type Check, check, malformed } from '../evidence/check.ts'
import type { SgxCollateral } from './collateral.ts'
import { SGX_NAMES } from './intel-profile.ts'
import { checkDates, checkSignature, isP256 } from './pck-chain.ts'
import { checkRevocation } from './revocation.ts'
import {
  decodeQeIdentity,
  decodeTcbInfo,
  isAccepted,
  type QeIdentity,
  qeLevelOf,
  type TcbInfo,
  tcbLevelOf,
} from './tcb.ts'

/*
 * Evidence against collateral: is the collateral genuine and of its time, was a key revoked, and do the platform and the
 * quoting enclave have the updates that it asks for. Source: Intel "SGX DCAP Quote Verification Library".
 */

const HINT = 'the collateral is damaged, out of date, or of another platform: fetch it again'

export interface EvaluatedQuote {
  /** PCK certificate, its issuer, root. */
  readonly certificates: readonly ParsedCertificate[]
  readonly extensions: PckExtensions
  readonly qeReport: SgxReportBody
}

export function evaluate(quote: EvaluatedQuote, collateral: SgxCollateral, atMs: number): Check[] {
  const [leaf, issuer, root] = quote.certificates as [ParsedCertificate, ParsedCertificate, ParsedCertificate]
  const tcb = signed('collateral.tcbInfo', collateral.tcbInfo, root, atMs, {
    chain: collateral.tcbInfoIssuerChain,
    signature: collateral.tcbInfoSignature,
    decode: decodeTcbInfo,
  })
  const qe = signed('collateral.qeIdentity', collateral.qeIdentity, root, atMs, {
    chain: collateral.qeIdentityIssuerChain,
    signature: collateral.qeIdentitySignature,
    decode: decodeQeIdentity,
  })
  const signers = [tcb.signer, qe.signer].filter((signer) => signer !== undefined)
  return [
    ...tcb.checks,
    ...(tcb.document === undefined ? [] : checkPlatform(tcb.document, quote.extensions)),
    ...qe.checks,
    ...(qe.document === undefined ? [] : checkQuotingEnclave(qe.document, quote.qeReport)),
    ...checkRevocation('collateral.rootCrl', collateral.rootCaCrl, root, [issuer, ...signers], atMs),
    ...checkRevocation('collateral.pckCrl', collateral.pckCrl, issuer, [leaf], atMs),
  ]
}

interface SignedBy<T> {
  readonly chain: string
  readonly signature: Uint8Array
  readonly decode: (text: string) => T
}

interface SignedDocument<T> {
  readonly checks: Check[]
  readonly document?: T
  readonly signer?: ParsedCertificate
}

interface Dated {
  readonly issueDate: number
  readonly nextUpdate: number
}

/** A document of Intel's form: whose it is, whether it was altered, and whether it is of this time. */
function signed<T extends Dated>(
  name: string,
  text: string,
  root: ParsedCertificate,
  atMs: number,
  by: SignedBy<T>,
): SignedDocument<T> {
  const issuer = checkIssuer(name, by.chain, root, atMs)
  const { signer } = issuer
  const checks = [...issuer.checks]
  if (signer !== undefined) {
    const wanted = `signed by ${SGX_NAMES.tcbSigning}`
    const key = { key: signer.publicKey, dsaEncoding: 'ieee-p1363' } as const
    const met = isP256(signer) && verify('sha256', encodeUtf8(text), key, by.signature)
    checks.push(check(`${name}.signature`, wanted, met ? wanted : 'a signature that does not verify', met, HINT))
  }
  let document: T
  try {
    document = by.decode(text)
  } catch (error) {
    return { checks: [...checks, malformed(name, 'a document of Intel’s form', error, HINT)] }
  }
  const { issueDate, nextUpdate } = document
  checks.push(
    check(
      `${name}.validity`,
      `valid at ${new Date(atMs).toISOString()}`,
      `${new Date(issueDate).toISOString()} to ${new Date(nextUpdate).toISOString()}`,
      issueDate <= atMs && atMs <= nextUpdate,
      HINT,
    ),
  )
  // What was not said by the signer is not held against a platform.
  return allMet(checks) ? { checks, document, ...(signer !== undefined && { signer }) } : { checks }
}

/** The signer's chain ends in the same root as the quote's own. */
function checkIssuer(name: string, chain: string, root: ParsedCertificate, atMs: number): SignedDocument<never> {
  const wanted = `${SGX_NAMES.tcbSigning} below the root of the quote`
  let certificates: ParsedCertificate[]
  try {
    certificates = pemToDer(chain).map(readCertificate)
  } catch (error) {
    const found = error instanceof WireError ? error.message : 'a block that is not an X.509 certificate'
    return { checks: [check(`${name}.issuer`, wanted, found, false, HINT)] }
  }
  const [signer, top] = certificates
  const matches =
    certificates.length === 2 &&
    signer!.commonName === SGX_NAMES.tcbSigning &&
    namesIssuer(signer!, root) &&
    // Two certificates of Intel's root are in use, of one key.
    top!.publicKey.equals(root.publicKey)
  if (!matches) {
    const found = certificates.map(({ commonName }) => commonName).join(', ')
    return { checks: [check(`${name}.issuer`, wanted, found, false, HINT)] }
  }
  return {
    signer: signer!,
    checks: [
      check(`${name}.issuer`, wanted, wanted, true, HINT),
      checkSignature(`${name}.issuerSignature`, signer!, root),
      checkDates(`${name}.issuerValidity`, [signer!], atMs),
    ],
  }
}

function checkPlatform(info: TcbInfo, pck: PckExtensions): Check[] {
  const found = `${encodeHex(pck.fmspc)}, PCE ${encodeHex(pck.pceId)}`
  const wanted = `${info.fmspc}, PCE ${info.pceId}`
  const platform = check('collateral.tcbInfo.platform', wanted, found, found === wanted, HINT)
  if (!platform.met) return [platform]
  const level = tcbLevelOf(info, pck)
  return [
    platform,
    check(
      'tcb.status',
      `up to date by baseline ${info.tcbEvaluationDataNumber}`,
      level?.status ?? 'below every level',
      level !== undefined && isAccepted(level.status),
      'the platform lacks updates that the baseline asks for; x-ms-sgx-tcbidentifier of the policy chooses the baseline',
    ),
  ]
}

function checkQuotingEnclave(identity: QeIdentity, report: SgxReportBody): Check[] {
  const hint = 'the quote was made by a quoting enclave that the collateral does not know'
  const level = qeLevelOf(identity, report)
  const attributes = attributeBytes(report)
  return [
    check(
      'qe.mrSigner',
      encodeHex(identity.mrSigner),
      encodeHex(report.mrSigner),
      equalBytes(identity.mrSigner, report.mrSigner),
      hint,
    ),
    check(
      'qe.productId',
      identity.isvProductId,
      report.isvProductId,
      identity.isvProductId === report.isvProductId,
      hint,
    ),
    check(
      'qe.attributes',
      encodeHex(masked(identity.attributes, identity.attributesMask)),
      encodeHex(masked(attributes, identity.attributesMask)),
      equalBytes(masked(identity.attributes, identity.attributesMask), masked(attributes, identity.attributesMask)),
      hint,
    ),
    check(
      'qe.miscSelect',
      (identity.miscSelect & identity.miscSelectMask) >>> 0,
      (report.miscSelect & identity.miscSelectMask) >>> 0,
      ((identity.miscSelect ^ report.miscSelect) & identity.miscSelectMask) === 0,
      hint,
    ),
    check(
      'qe.status',
      `up to date by baseline ${identity.tcbEvaluationDataNumber}`,
      level?.status ?? 'below every level',
      level !== undefined && isAccepted(level.status),
      'the quoting enclave of the platform lacks updates that the baseline asks for',
    ),
  ]
}

function attributeBytes({ flags, xfrm }: SgxReportBody): Uint8Array {
  const bytes = new Uint8Array(16)
  const view = new DataView(bytes.buffer)
  view.setBigUint64(0, flags, true)
  view.setBigUint64(8, xfrm, true)
  return bytes
}

function masked(bytes: Uint8Array, mask: Uint8Array): Uint8Array {
  return bytes.map((byte, index) => byte & mask[index]!)
}
