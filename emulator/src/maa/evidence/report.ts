import { verify } from 'node:crypto'
import {
  decodeGuestPolicy,
  decodeReport,
  decodeTcb,
  encodeHex,
  encodeTcb,
  equalBytes,
  isZero,
  productOfReport,
  REPORT_SIGNED_SIZE,
  REPORT_SIZE,
  reportSignature,
  SIGNATURE_ALGO_ECDSA_P384_SHA384,
  type SnpProduct,
  type SnpReport,
  signingKeyOf,
  tcbToHex,
  type VcekExtensions,
  WireError,
} from '@skerry/guest/wire'
import type { EndorsementChain } from './chain.ts'
import { type Check, check, malformed } from './check.ts'

/** What a 5.x report says of itself, before any key is looked at. Source: AMD 56860, ATTESTATION_REPORT. */
export function readReport(bytes: Uint8Array): { report?: SnpReport; checks: Check[] } {
  let report: SnpReport
  try {
    report = decodeReport(bytes)
  } catch (error) {
    const rule = error instanceof WireError ? error.code.replace('ERR_REPORT_', '').toLowerCase() : ''
    return { checks: [malformed(`report.${rule}`, 'an SNP report of 1184 bytes, version 2 to 5', error, REPORT_HINT)] }
  }
  return {
    report,
    checks: [
      check(
        'report.version',
        '2 to 5',
        report.version,
        report.version >= 2,
        'version 1 comes from no hardware: the report is a made-up one',
      ),
      check(
        'report.signatureAlgo',
        SIGNATURE_ALGO_ECDSA_P384_SHA384,
        report.signatureAlgo,
        report.signatureAlgo === SIGNATURE_ALGO_ECDSA_P384_SHA384,
        REPORT_HINT,
      ),
      checkGuestPolicy(report),
      checkKeyInfo(report),
    ],
  }
}

const REPORT_HINT = 'send the report as the device returned it, without the response header of 32 bytes'

/**
 * The report against its chain: who signed it, for which chip, at which TCB. Without the fields (they are malformed) only
 * the signature is looked at.
 */
export function verifyReport(bytes: Uint8Array, report: SnpReport | undefined, chain: EndorsementChain): Check[] {
  if (report === undefined) return bytes.length === REPORT_SIZE ? [checkSignature(bytes, chain)] : []
  const { product, extensions } = chain
  return [
    checkSigningKey(report, chain),
    ...(product === undefined ? [] : [checkProduct(report, product)]),
    checkSignature(bytes, chain),
    ...(extensions?.hwid === undefined ? [] : [checkHwid(report, extensions.hwid)]),
    ...(product === undefined || extensions === undefined ? [] : [checkTcb(report, extensions, product)]),
  ]
}

function checkGuestPolicy(report: SnpReport): Check {
  try {
    decodeGuestPolicy(report.policy)
    return check('report.policy', 'a well-formed guest policy', `0x${report.policy.toString(16)}`, true, '')
  } catch (error) {
    return malformed('report.policy', 'a well-formed guest policy', error, REPORT_HINT)
  }
}

/** Bits 31:5 are reserved. Source: AMD 56860, ATTESTATION_REPORT, KEY_INFO. */
function checkKeyInfo({ keyInfo }: SnpReport): Check {
  const reserved = keyInfo >>> 5
  const found = `0x${keyInfo.toString(16)}`
  return check('report.keyInfo', 'bits 31:5 zero', found, reserved === 0, REPORT_HINT)
}

function checkSigningKey(report: SnpReport, chain: EndorsementChain): Check {
  const found = signingKeyOf(report)
  const hint = 'send the certificate of the key that signed the report: VCEK, or VLEK where the host has one loaded'
  return check('report.signingKey', chain.signingKey ?? 'VCEK', found, found === (chain.signingKey ?? 'VCEK'), hint)
}

function checkProduct(report: SnpReport, product: SnpProduct): Check {
  // Before version 3 the report does not say; then the certificate's word is taken.
  const found = report.version >= 3 ? (productOfReport(report) ?? 'unknown') : product
  return check(
    'report.product',
    product,
    found,
    found === product,
    'report and certificates are of different processors',
  )
}

/** In the thread that answers: to hand it to another one and back costs up to a fifth of what it takes. */
function checkSignature(bytes: Uint8Array, chain: EndorsementChain): Check {
  const wanted = 'an ECDSA P-384 signature by the key of the leaf certificate'
  const hint = 'the report was altered, or its certificate belongs to another chip or TCB: fetch both again'
  const key = chain.certificates[0]?.publicKey
  // In this order: asking a huge RSA key for its details leaves an error in OpenSSL's queue, which ends the next key that
  // anybody in this process reads.
  if (key?.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== 'secp384r1') {
    return check('report.signature', wanted, 'no P-384 key in the leaf certificate', false, hint)
  }
  try {
    const signed = bytes.subarray(0, REPORT_SIGNED_SIZE)
    const met = verify('sha384', signed, { key, dsaEncoding: 'ieee-p1363' }, reportSignature(bytes))
    return check('report.signature', wanted, met ? wanted : 'a signature that does not verify', met, hint)
  } catch (error) {
    return malformed('report.signature', wanted, error, hint)
  }
}

function checkHwid(report: SnpReport, hwid: Uint8Array): Check {
  const { chipId } = report
  // A host may mask the chip id; then nothing is left to compare.
  const masked = isZero(chipId)
  const met = masked || (equalBytes(chipId.subarray(0, hwid.length), hwid) && isZero(chipId.subarray(hwid.length)))
  return check(
    'vcek.hwid',
    encodeHex(chipId),
    encodeHex(hwid),
    met,
    'the VCEK is of another chip: fetch the one of this host',
  )
}

function checkTcb(report: SnpReport, { tcb }: VcekExtensions, product: SnpProduct): Check {
  const hint =
    'the certificate is for another TCB than the report (tcbm differs from reported_tcb): fetch it from THIM again'
  const wanted = tcbToHex(encodeTcb(decodeTcb(report.reportedTcb, product), product))
  try {
    const found = tcbToHex(encodeTcb(tcb, product))
    return check('vcek.tcb', wanted, found, found === wanted, hint)
  } catch (error) {
    return malformed('vcek.tcb', wanted, error, hint)
  }
}
