import { copyBytes, isZero } from './bytes.ts'
import { WireError } from './errors.ts'

/**
 * The body of an SGX REPORT, as it stands in a quote. Integers are little-endian; byte strings stay in memory order.
 * Source: Intel "SGX ECDSA Quote Library Reference", Enclave Report Body; Intel SDM volume 3D, REPORT structure.
 */

/** Bytes of a report body. */
export const SGX_REPORT_BODY_SIZE = 384

/** Bits of the attributes' flags. Source: Intel SDM volume 3D, ATTRIBUTES structure. */
export const SGX_FLAG_INIT = 1n << 0n
/** A debugger may read and write the enclave's memory. */
export const SGX_FLAG_DEBUG = 1n << 1n
export const SGX_FLAG_MODE64 = 1n << 2n
export const SGX_FLAG_PROVISION_KEY = 1n << 4n
/** Key separation and sharing: the extended ids and the configuration of the enclave have a meaning. */
export const SGX_FLAG_KSS = 1n << 7n

export interface SgxReportBody {
  /** 16 bytes. */
  readonly cpuSvn: Uint8Array
  /** u32. */
  readonly miscSelect: number
  /** 16 bytes, only with KSS. */
  readonly isvExtendedProductId: Uint8Array
  /** ATTRIBUTES.FLAGS, u64. */
  readonly flags: bigint
  /** ATTRIBUTES.XFRM, u64. */
  readonly xfrm: bigint
  /** 32 bytes: the measurement of the enclave's pages. */
  readonly mrEnclave: Uint8Array
  /** 32 bytes: SHA-256 of the signer's RSA modulus. */
  readonly mrSigner: Uint8Array
  /** 64 bytes, only with KSS. */
  readonly configId: Uint8Array
  /** u16. */
  readonly isvProductId: number
  /** u16. */
  readonly isvSvn: number
  /** u16, only with KSS. */
  readonly configSvn: number
  /** 16 bytes, only with KSS. */
  readonly isvFamilyId: Uint8Array
  /** 64 bytes, from the enclave. */
  readonly reportData: Uint8Array
}

/** Byte string fields: offset, size. */
const BYTE_FIELDS = {
  cpuSvn: [0, 16],
  isvExtendedProductId: [32, 16],
  mrEnclave: [64, 32],
  mrSigner: [128, 32],
  configId: [192, 64],
  isvFamilyId: [304, 16],
  reportData: [320, 64],
} as const satisfies Partial<Record<keyof SgxReportBody, readonly [number, number]>>

/** Ranges that hold zero: offset, size. */
const RESERVED: readonly (readonly [number, number])[] = [
  [20, 12],
  [96, 32],
  [160, 32],
  [262, 42],
]

/**
 * Reads a report body of exactly 384 bytes.
 * @throws WireError `ERR_SGX_REPORT_SIZE`, `ERR_SGX_REPORT_RESERVED` (`at` is `field@0xOFFSET`)
 */
export function decodeSgxReportBody(bytes: Uint8Array, at = 'reportBody'): SgxReportBody {
  if (bytes.length !== SGX_REPORT_BODY_SIZE) {
    throw new WireError('ERR_SGX_REPORT_SIZE', `a report body has 384 bytes, this one ${bytes.length}`, at)
  }
  for (const [offset, size] of RESERVED) {
    if (!isZero(bytes.subarray(offset, offset + size))) {
      const place = `${at}.reserved@0x${offset.toString(16)}`
      throw new WireError('ERR_SGX_REPORT_RESERVED', `reserved bytes of the ${at} at ${offset} are not zero`, place)
    }
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const field = ([offset, size]: readonly [number, number]) => copyBytes(bytes, offset, offset + size)
  return {
    cpuSvn: field(BYTE_FIELDS.cpuSvn),
    miscSelect: view.getUint32(16, true),
    isvExtendedProductId: field(BYTE_FIELDS.isvExtendedProductId),
    flags: view.getBigUint64(48, true),
    xfrm: view.getBigUint64(56, true),
    mrEnclave: field(BYTE_FIELDS.mrEnclave),
    mrSigner: field(BYTE_FIELDS.mrSigner),
    configId: field(BYTE_FIELDS.configId),
    isvProductId: view.getUint16(256, true),
    isvSvn: view.getUint16(258, true),
    configSvn: view.getUint16(260, true),
    isvFamilyId: field(BYTE_FIELDS.isvFamilyId),
    reportData: field(BYTE_FIELDS.reportData),
  }
}

/** @throws WireError `ERR_SGX_REPORT_FIELD` when a byte string has another size or an integer does not fit */
export function encodeSgxReportBody(body: SgxReportBody): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(SGX_REPORT_BODY_SIZE)
  const view = new DataView(bytes.buffer)
  for (const [name, [offset, size]] of Object.entries(BYTE_FIELDS)) {
    const value = body[name as keyof typeof BYTE_FIELDS]
    if (value.length !== size) {
      throw new WireError('ERR_SGX_REPORT_FIELD', `${name} has ${size} bytes, not ${value.length}`, name)
    }
    bytes.set(value, offset)
  }
  view.setUint32(16, within(body.miscSelect, 0xffffffff, 'miscSelect'), true)
  view.setBigUint64(48, within64(body.flags, 'flags'), true)
  view.setBigUint64(56, within64(body.xfrm, 'xfrm'), true)
  view.setUint16(256, within(body.isvProductId, 0xffff, 'isvProductId'), true)
  view.setUint16(258, within(body.isvSvn, 0xffff, 'isvSvn'), true)
  view.setUint16(260, within(body.configSvn, 0xffff, 'configSvn'), true)
  return bytes
}

function within(value: number, greatest: number, name: string): number {
  if (Number.isInteger(value) && value >= 0 && value <= greatest) return value
  throw new WireError('ERR_SGX_REPORT_FIELD', `${name} is an integer from 0 to ${greatest}`, name)
}

function within64(value: bigint, name: string): bigint {
  if (value >= 0n && value < 1n << 64n) return value
  throw new WireError('ERR_SGX_REPORT_FIELD', `${name} is a u64`, name)
}
