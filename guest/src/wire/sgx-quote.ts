import { concatBytes, copyBytes, decodeHex } from './bytes.ts'
import { WireError } from './errors.ts'
import {
  decodeSgxReportBody,
  encodeSgxReportBody,
  SGX_REPORT_BODY_SIZE,
  type SgxReportBody,
} from './sgx-report-body.ts'

/**
 * The SGX quote, version 3, with its ECDSA P-256 signature data. Lengths and numbers are little-endian; the parts of a
 * signature and of a public key are big-endian, as in other places.
 * Source: Intel "SGX ECDSA Quote Library Reference", Quote Format, ECDSA 256-bit Quote Signature Data Structure.
 */

/** The quote's signature covers the header and the report body. */
export const SGX_QUOTE_SIGNED_SIZE = 432
/** The only attestation key of a version 3 quote: ECDSA on P-256 with SHA-256. */
export const SGX_ATTESTATION_KEY_ECDSA_P256 = 2
/** Certification data: the PCK certificate chain in PEM, leaf first. */
export const SGX_CERTIFICATION_PCK_CHAIN = 5
/** The QE vendor id that is Intel's. */
export const INTEL_QE_VENDOR_ID = decodeHex('939a7233f79c4ca9940a0db3957f0607')

export interface SgxQuote {
  /** 3. */
  readonly version: number
  /** 2. */
  readonly attestationKeyType: number
  /** ISVSVN of the quoting enclave, u16. */
  readonly qeSvn: number
  /** ISVSVN of the provisioning certification enclave, u16. */
  readonly pceSvn: number
  /** 16 bytes. */
  readonly qeVendorId: Uint8Array
  /** 20 bytes; the first 16 name the platform. */
  readonly userData: Uint8Array
  readonly report: SgxReportBody
  /** 64 bytes, r and s: over the first 432 bytes, by the attestation key. */
  readonly signature: Uint8Array
  /** 64 bytes, x and y. */
  readonly attestationKey: Uint8Array
  readonly qeReport: SgxReportBody
  /** The 384 bytes that the PCK signed. */
  readonly qeReportBytes: Uint8Array
  /** 64 bytes, r and s: over the quoting enclave's report, by the PCK. */
  readonly qeReportSignature: Uint8Array
  readonly qeAuthData: Uint8Array
  /** 5 for a chain in PEM. */
  readonly certificationDataType: number
  readonly certificationData: Uint8Array
}

const HEADER_SIZE = 48
const RESERVED_OFFSET = 4
const BODY_OFFSET = HEADER_SIZE
const LENGTH_OFFSET = SGX_QUOTE_SIGNED_SIZE
const SIGNATURE_DATA_OFFSET = 436
/** What the signature data always has: two signatures, key, report, and two lengths. */
const SMALLEST_SIGNATURE_DATA = 64 + 64 + SGX_REPORT_BODY_SIZE + 64 + 2 + 6

/**
 * Reads a quote. All lengths must add up to the bytes there are; nothing is allocated by a length that was only claimed.
 * @throws WireError `ERR_SGX_QUOTE_SIZE`, `ERR_SGX_QUOTE_VERSION`, `ERR_SGX_QUOTE_KEY_TYPE`, `ERR_SGX_QUOTE_RESERVED`,
 * `ERR_SGX_REPORT_RESERVED` (`at` is `field@0xOFFSET`)
 */
export function decodeSgxQuote(bytes: Uint8Array): SgxQuote {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < SIGNATURE_DATA_OFFSET + SMALLEST_SIGNATURE_DATA) {
    throw sizeError(`a quote has at least ${SIGNATURE_DATA_OFFSET + SMALLEST_SIGNATURE_DATA} bytes`, bytes.length, 0)
  }
  const version = view.getUint16(0, true)
  if (version !== 3) {
    throw new WireError('ERR_SGX_QUOTE_VERSION', `a quote of version 3 is wanted, this is ${version}`, 'version@0x0')
  }
  const attestationKeyType = view.getUint16(2, true)
  if (attestationKeyType !== SGX_ATTESTATION_KEY_ECDSA_P256) {
    const message = `attestation key type 2 (ECDSA P-256) is wanted, this is ${attestationKeyType}`
    throw new WireError('ERR_SGX_QUOTE_KEY_TYPE', message, 'attestationKeyType@0x2')
  }
  if (view.getUint32(RESERVED_OFFSET, true) !== 0) {
    throw new WireError('ERR_SGX_QUOTE_RESERVED', 'reserved bytes of the header are not zero', 'reserved@0x4')
  }
  const signatureSize = view.getUint32(LENGTH_OFFSET, true)
  if (signatureSize !== bytes.length - SIGNATURE_DATA_OFFSET) {
    throw sizeError(
      `the signature data says ${signatureSize} bytes`,
      bytes.length - SIGNATURE_DATA_OFFSET,
      LENGTH_OFFSET,
    )
  }

  const reader = readerOf(bytes, SIGNATURE_DATA_OFFSET)
  const signature = reader.bytes(64, 'signature')
  const attestationKey = reader.bytes(64, 'attestationKey')
  const qeReportBytes = reader.bytes(SGX_REPORT_BODY_SIZE, 'qeReport')
  const qeReportSignature = reader.bytes(64, 'qeReportSignature')
  const qeAuthData = reader.bytes(view.getUint16(reader.skip(2), true), 'qeAuthData')
  const certification = reader.skip(6)
  const certificationData = reader.bytes(view.getUint32(certification + 2, true), 'certificationData')
  if (reader.rest() !== 0) {
    throw sizeError('the signature data ends before the quote does', reader.rest(), bytes.length - reader.rest())
  }
  return {
    version,
    attestationKeyType,
    qeSvn: view.getUint16(8, true),
    pceSvn: view.getUint16(10, true),
    qeVendorId: copyBytes(bytes, 12, 28),
    userData: copyBytes(bytes, 28, HEADER_SIZE),
    report: decodeSgxReportBody(bytes.subarray(BODY_OFFSET, SGX_QUOTE_SIGNED_SIZE), 'report'),
    signature,
    attestationKey,
    qeReport: decodeSgxReportBody(qeReportBytes, 'qeReport'),
    qeReportBytes,
    qeReportSignature,
    qeAuthData,
    certificationDataType: view.getUint16(certification, true),
    certificationData,
  }
}

/** Header and report body: what the attestation key signs. */
export type SgxQuoteContent = Pick<SgxQuote, 'qeSvn' | 'pceSvn' | 'qeVendorId' | 'userData' | 'report'>

/** The 432 bytes that the attestation key is to sign. */
export function encodeSgxQuoteContent(content: SgxQuoteContent): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(SGX_QUOTE_SIGNED_SIZE)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, 3, true)
  view.setUint16(2, SGX_ATTESTATION_KEY_ECDSA_P256, true)
  view.setUint16(8, content.qeSvn, true)
  view.setUint16(10, content.pceSvn, true)
  bytes.set(sized(content.qeVendorId, 16, 'qeVendorId'), 12)
  bytes.set(sized(content.userData, 20, 'userData'), 28)
  bytes.set(encodeSgxReportBody(content.report), BODY_OFFSET)
  return bytes
}

export type SgxQuoteSignatureData = Pick<
  SgxQuote,
  | 'signature'
  | 'attestationKey'
  | 'qeReportBytes'
  | 'qeReportSignature'
  | 'qeAuthData'
  | 'certificationDataType'
  | 'certificationData'
>

/** A whole quote: the signed content, and what proves it. */
export function encodeSgxQuote(content: Uint8Array, data: SgxQuoteSignatureData): Uint8Array<ArrayBuffer> {
  const authSize = new Uint8Array(2)
  new DataView(authSize.buffer).setUint16(0, data.qeAuthData.length, true)
  const certification = new Uint8Array(6)
  const view = new DataView(certification.buffer)
  view.setUint16(0, data.certificationDataType, true)
  view.setUint32(2, data.certificationData.length, true)
  const signatureData = concatBytes(
    sized(data.signature, 64, 'signature'),
    sized(data.attestationKey, 64, 'attestationKey'),
    sized(data.qeReportBytes, SGX_REPORT_BODY_SIZE, 'qeReport'),
    sized(data.qeReportSignature, 64, 'qeReportSignature'),
    authSize,
    data.qeAuthData,
    certification,
    data.certificationData,
  )
  const length = new Uint8Array(4)
  new DataView(length.buffer).setUint32(0, signatureData.length, true)
  return concatBytes(sized(content, SGX_QUOTE_SIGNED_SIZE, 'content'), length, signatureData)
}

function sized(bytes: Uint8Array, size: number, name: string): Uint8Array {
  if (bytes.length === size) return bytes
  throw new WireError('ERR_SGX_QUOTE_FIELD', `${name} has ${size} bytes, not ${bytes.length}`, name)
}

function readerOf(bytes: Uint8Array, start: number) {
  let offset = start
  const skip = (size: number, name = 'length'): number => {
    const from = offset
    if (size > bytes.length - from) throw sizeError(`${name} says ${size} bytes`, bytes.length - from, from)
    offset += size
    return from
  }
  return {
    skip,
    rest: () => bytes.length - offset,
    bytes: (size: number, name: string) => {
      const from = skip(size, name)
      return copyBytes(bytes, from, from + size)
    },
  }
}

function sizeError(rule: string, found: number, offset: number): WireError {
  return new WireError('ERR_SGX_QUOTE_SIZE', `${rule}, there are ${found}`, `length@0x${offset.toString(16)}`)
}
