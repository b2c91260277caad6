import { concatBytes, copyBytes, isZero } from './bytes.ts'
import { WireError } from './errors.ts'
import { REPORT_SIZE } from './report.ts'
import { TCB_SIZE } from './tcb.ts'

/**
 * Messages between a guest and its secure processor, as the Linux device passes them.
 * Sources: AMD 56860, MSG_REPORT_REQ, MSG_REPORT_RSP, MSG_KEY_REQ, MSG_KEY_RSP; Linux `include/uapi/linux/sev-guest.h`;
 * for `/dev/sev` the driver of Azure's 5.15 utility VM. Integers are little-endian.
 */

/** `_IOWR('S', nr, 32 bytes)` on `/dev/sev-guest`. */
export const SNP_GET_REPORT = 0xc020_5300
export const SNP_GET_DERIVED_KEY = 0xc020_5301
export const SNP_GET_EXT_REPORT = 0xc020_5302
/** `_IOWR('S', nr, 40 bytes)` on `/dev/sev` of Azure's 5.15 kernel. */
export const SEV_REQUEST = 0xc028_5300
export const SEV_REPORT = 0xc028_5301
export const SEV_KEY = 0xc028_5302

/** Message types, as the 5.15 driver's argument names them. */
export const MESSAGE_TYPES = { keyRequest: 3, keyResponse: 4, reportRequest: 5, reportResponse: 6 } as const

export const REPORT_REQUEST_SIZE = 96
/** Status, size, 24 reserved bytes, report. */
export const REPORT_RESPONSE_SIZE = 0x20 + REPORT_SIZE
export const KEY_REQUEST_SIZE = 32
/** With the launch mitigation vector of firmware 1.58 and later, which the upstream driver does not pass. */
export const KEY_REQUEST_SIZE_WITH_VECTOR = 40
export const KEY_RESPONSE_SIZE = 64

/** Status words of MSG_REPORT_RSP and MSG_KEY_RSP. */
export const MESSAGE_STATUS = { success: 0, invalidParameters: 0x16, invalidKeySelection: 0x27 } as const

/** KEY_SEL: 0 VLEK if one is loaded, else VCEK; 1 VCEK; 2 VLEK; 3 reserved. */
export type KeySelect = 0 | 1 | 2 | 3

export interface ReportRequest {
  /** 64 bytes. */
  readonly reportData: Uint8Array
  readonly vmpl: number
  readonly keySelect?: KeySelect
}

export interface DecodedReportRequest extends Required<ReportRequest> {
  /** A bit that must be zero is not; firmware answers `invalidParameters`. */
  readonly reservedBitsSet: boolean
}

export function encodeReportRequest(request: ReportRequest): Uint8Array<ArrayBuffer> {
  requireSize('reportData', request.reportData, 64)
  const bytes = new Uint8Array(REPORT_REQUEST_SIZE)
  bytes.set(request.reportData, 0)
  const view = viewOf(bytes)
  view.setUint32(0x40, request.vmpl, true)
  view.setUint32(0x44, request.keySelect ?? 0, true)
  return bytes
}

export function decodeReportRequest(bytes: Uint8Array): DecodedReportRequest {
  requireSize('MSG_REPORT_REQ', bytes, REPORT_REQUEST_SIZE)
  const view = viewOf(bytes)
  const selection = view.getUint32(0x44, true)
  return {
    reportData: copyBytes(bytes, 0, 64),
    vmpl: view.getUint32(0x40, true),
    keySelect: (selection & 3) as KeySelect,
    reservedBitsSet: selection >>> 2 !== 0 || !isZero(bytes.subarray(0x48)),
  }
}

export interface ReportResponse {
  readonly status: number
  /** 1184 bytes; absent (all zero on the wire) when the status is not success. */
  readonly report?: Uint8Array
}

/** The report size field says 1184 whatever the status. */
export function encodeReportResponse(response: ReportResponse): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(REPORT_RESPONSE_SIZE)
  const view = viewOf(bytes)
  view.setUint32(0, response.status, true)
  view.setUint32(4, REPORT_SIZE, true)
  if (response.report !== undefined) {
    requireSize('report', response.report, REPORT_SIZE)
    bytes.set(response.report, 0x20)
  }
  return bytes
}

/** Takes the driver's whole buffer: bytes beyond the message (1280 or 4000 byte buffers) are not looked at. */
export function decodeReportResponse(bytes: Uint8Array): { status: number; report: Uint8Array<ArrayBuffer> } {
  if (bytes.length < REPORT_RESPONSE_SIZE) {
    throw new WireError(
      'ERR_MESSAGE_SIZE',
      `MSG_REPORT_RSP is ${REPORT_RESPONSE_SIZE} bytes, these are ${bytes.length}`,
    )
  }
  const view = viewOf(bytes)
  const status = view.getUint32(0, true)
  const size = view.getUint32(4, true)
  if (status === MESSAGE_STATUS.success && size !== REPORT_SIZE) {
    throw new WireError(
      'ERR_MESSAGE_SIZE',
      `the response announces a report of ${size} bytes, not ${REPORT_SIZE}`,
      'size@0x04',
    )
  }
  return { status, report: new Uint8Array(bytes.subarray(0x20, REPORT_RESPONSE_SIZE)) }
}

/** Bits of guest_field_select: what is mixed into a derived key beyond what always is. */
export const GUEST_FIELD = {
  policy: 1n << 0n,
  imageId: 1n << 1n,
  familyId: 1n << 2n,
  measurement: 1n << 3n,
  guestSvn: 1n << 4n,
  tcbVersion: 1n << 5n,
  launchMitVector: 1n << 6n,
} as const

export interface KeyRequest {
  /** 0: derived from the VCEK or VLEK; 1: from the VM root key. */
  readonly rootKeySelect: 0 | 1
  readonly keySelect?: KeySelect
  readonly guestFieldSelect: bigint
  readonly vmpl: number
  readonly guestSvn?: number
  /** 8 bytes in memory order. */
  readonly tcbVersion?: Uint8Array
  /** u64. Where it is given the message is 40 bytes. */
  readonly launchMitVector?: bigint
}

export interface DecodedKeyRequest extends Required<KeyRequest> {
  readonly reservedBitsSet: boolean
}

export function encodeKeyRequest(request: KeyRequest): Uint8Array<ArrayBuffer> {
  const { launchMitVector } = request
  const bytes = new Uint8Array(launchMitVector === undefined ? KEY_REQUEST_SIZE : KEY_REQUEST_SIZE_WITH_VECTOR)
  const view = viewOf(bytes)
  view.setUint32(0x00, request.rootKeySelect | ((request.keySelect ?? 0) << 1), true)
  view.setBigUint64(0x08, request.guestFieldSelect, true)
  view.setUint32(0x10, request.vmpl, true)
  view.setUint32(0x14, request.guestSvn ?? 0, true)
  if (request.tcbVersion !== undefined) {
    requireSize('tcbVersion', request.tcbVersion, TCB_SIZE)
    bytes.set(request.tcbVersion, 0x18)
  }
  if (launchMitVector !== undefined) view.setBigUint64(0x20, launchMitVector, true)
  return bytes
}

/** Takes either size; without a vector that is 0. */
export function decodeKeyRequest(bytes: Uint8Array): DecodedKeyRequest {
  const withVector = bytes.length === KEY_REQUEST_SIZE_WITH_VECTOR
  if (!withVector) requireSize('MSG_KEY_REQ', bytes, KEY_REQUEST_SIZE)
  const view = viewOf(bytes)
  const selection = view.getUint32(0x00, true)
  return {
    rootKeySelect: (selection & 1) as 0 | 1,
    keySelect: ((selection >>> 1) & 3) as KeySelect,
    guestFieldSelect: view.getBigUint64(0x08, true),
    vmpl: view.getUint32(0x10, true),
    guestSvn: view.getUint32(0x14, true),
    tcbVersion: copyBytes(bytes, 0x18, 0x20),
    launchMitVector: withVector ? view.getBigUint64(0x20, true) : 0n,
    reservedBitsSet: selection >>> 3 !== 0 || view.getUint32(0x04, true) !== 0,
  }
}

export interface KeyResponse {
  readonly status: number
  /** 32 bytes; absent (all zero on the wire) when the status is not success. */
  readonly key?: Uint8Array
}

export function encodeKeyResponse(response: KeyResponse): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(KEY_RESPONSE_SIZE)
  viewOf(bytes).setUint32(0, response.status, true)
  if (response.key !== undefined) {
    requireSize('key', response.key, 32)
    bytes.set(response.key, 0x20)
  }
  return bytes
}

export function decodeKeyResponse(bytes: Uint8Array): { status: number; key: Uint8Array<ArrayBuffer> } {
  if (bytes.length < KEY_RESPONSE_SIZE) {
    throw new WireError('ERR_MESSAGE_SIZE', `MSG_KEY_RSP is ${KEY_RESPONSE_SIZE} bytes, these are ${bytes.length}`)
  }
  return { status: viewOf(bytes).getUint32(0, true), key: new Uint8Array(bytes.subarray(0x20, KEY_RESPONSE_SIZE)) }
}

/** Joins request bytes as SNP_GET_EXT_REPORT passes them: the report request, certs_address, certs_len, padding. */
export function encodeExtReportRequest(
  request: ReportRequest,
  certsAddress: bigint,
  certsLength: number,
): Uint8Array<ArrayBuffer> {
  const tail = new Uint8Array(16)
  viewOf(tail).setBigUint64(0, certsAddress, true)
  viewOf(tail).setUint32(8, certsLength, true)
  return concatBytes(encodeReportRequest(request), tail)
}

function requireSize(name: string, bytes: Uint8Array, size: number): void {
  if (bytes.length !== size)
    throw new WireError('ERR_MESSAGE_SIZE', `${name} is ${size} bytes, these are ${bytes.length}`, name)
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
