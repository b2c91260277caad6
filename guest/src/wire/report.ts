import { copyBytes, isZero } from './bytes.ts'
import { WireError } from './errors.ts'

/**
 * The SEV-SNP attestation report, versions 1 to 5.
 * Source: AMD "SEV Secure Nested Paging Firmware ABI Specification" (56860), ATTESTATION_REPORT structure and
 * "Signature format". Integers are little-endian; byte strings stay in memory order.
 */

/** Bytes of a whole report. */
export const REPORT_SIZE = 0x4a0
/** The signature covers the bytes before this offset. */
export const REPORT_SIGNED_SIZE = 0x2a0

/** signature_algo: ECDSA on P-384 with SHA-384. */
export const SIGNATURE_ALGO_ECDSA_P384_SHA384 = 1

export type SnpProduct = 'Milan' | 'Genoa' | 'Turin'

export interface FirmwareVersion {
  readonly build: number
  readonly minor: number
  readonly major: number
}

export interface SnpReport {
  /** 2, 3, 4 or 5 from hardware; 1 only in reports that no hardware made. */
  readonly version: number
  /** GUEST_SVN of the ID block, u32. */
  readonly guestSvn: number
  /** Guest policy, u64: see `decodeGuestPolicy`. */
  readonly policy: bigint
  /** 16 bytes. */
  readonly familyId: Uint8Array
  /** 16 bytes. */
  readonly imageId: Uint8Array
  /** VMPL of the requester, u32; 0xFFFFFFFF when the host asked. */
  readonly vmpl: number
  /** 1: ECDSA P-384 with SHA-384. */
  readonly signatureAlgo: number
  /** 8 bytes in memory order: see `decodeTcb`. */
  readonly currentTcb: Uint8Array
  /** PLATFORM_INFO, u64. */
  readonly platformInfo: bigint
  /** u32: bit 0 author key, bit 1 MaskChipKey, bits 4:2 signing key (`signingKeyOf`). */
  readonly keyInfo: number
  /** 64 bytes, from the guest's request. */
  readonly reportData: Uint8Array
  /** Launch digest, 48 bytes. */
  readonly measurement: Uint8Array
  /** 32 bytes, set by the host at launch; SHA-256 of the CCE policy on confidential ACI. */
  readonly hostData: Uint8Array
  /** 48 bytes. */
  readonly idKeyDigest: Uint8Array
  /** 48 bytes. */
  readonly authorKeyDigest: Uint8Array
  /** 32 bytes. */
  readonly reportId: Uint8Array
  /** 32 bytes; all 0xFF without a migration agent. */
  readonly reportIdMa: Uint8Array
  /** 8 bytes: the TCB that the signing key is derived from. */
  readonly reportedTcb: Uint8Array
  /** Combined family, model and stepping; from version 3 on. */
  readonly cpuidFamily?: number
  readonly cpuidModel?: number
  readonly cpuidStepping?: number
  /** 64 bytes; all zero when masked; Turin uses the first 8. */
  readonly chipId: Uint8Array
  /** 8 bytes. */
  readonly committedTcb: Uint8Array
  readonly current: FirmwareVersion
  readonly committed: FirmwareVersion
  /** 8 bytes. */
  readonly launchTcb: Uint8Array
  /** u64, from version 5 on. */
  readonly launchMitVector?: bigint
  /** u64, from version 5 on. */
  readonly currentMitVector?: bigint
}

/** Byte string fields: name, offset, size. */
const BYTE_FIELDS = {
  familyId: [0x010, 16],
  imageId: [0x020, 16],
  currentTcb: [0x038, 8],
  reportData: [0x050, 64],
  measurement: [0x090, 48],
  hostData: [0x0c0, 32],
  idKeyDigest: [0x0e0, 48],
  authorKeyDigest: [0x110, 48],
  reportId: [0x140, 32],
  reportIdMa: [0x160, 32],
  reportedTcb: [0x180, 8],
  chipId: [0x1a0, 64],
  committedTcb: [0x1e0, 8],
  launchTcb: [0x1f0, 8],
} as const satisfies Partial<Record<keyof SnpReport, readonly [number, number]>>

type ByteField = keyof typeof BYTE_FIELDS
const BYTE_FIELD_NAMES = Object.keys(BYTE_FIELDS) as ByteField[]

/** [offset, size, first version for which the range has a meaning of its own] */
const RESERVED: readonly (readonly [number, number, number])[] = [
  [0x04c, 4, Number.POSITIVE_INFINITY],
  [0x188, 3, 3],
  [0x18b, 21, Number.POSITIVE_INFINITY],
  [0x1eb, 1, Number.POSITIVE_INFINITY],
  [0x1ef, 1, Number.POSITIVE_INFINITY],
  [0x1f8, 16, 5],
  [0x208, 152, Number.POSITIVE_INFINITY],
]

/** R and S: 72 bytes each, little-endian, of which a P-384 number fills 48. */
const SIGNATURE_FIELD = 72
const SCALAR = 48
const R_OFFSET = REPORT_SIGNED_SIZE
const S_OFFSET = R_OFFSET + SIGNATURE_FIELD
const SIGNATURE_TAIL = S_OFFSET + SIGNATURE_FIELD

export interface DecodeReportOptions {
  /**
   * Also reads a report of a firmware newer than this library: of a version above 5, with the fields of version 5, and with
   * reserved bytes that are not zero. For a guest that passes its own report on; not for who has to judge one.
   */
  readonly newer?: boolean
}

/**
 * Reads the fields of a report. Does not look at the signature.
 * @throws WireError `ERR_REPORT_SIZE`, `ERR_REPORT_VERSION`, `ERR_REPORT_RESERVED` (`at` names field and offset)
 */
export function decodeReport(bytes: Uint8Array, { newer = false }: DecodeReportOptions = {}): SnpReport {
  if (bytes.length !== REPORT_SIZE) {
    throw new WireError(
      'ERR_REPORT_SIZE',
      `a report is ${REPORT_SIZE} bytes, these are ${bytes.length}`,
      'report@0x000',
    )
  }
  const view = viewOf(bytes)
  const version = view.getUint32(0x000, true)
  if (version < 1 || (version > 5 && !newer)) {
    throw new WireError('ERR_REPORT_VERSION', `report version ${version} is not one of 1 to 5`, 'version@0x000')
  }
  for (const [offset, size, usedFrom] of RESERVED) {
    if (!newer && version < usedFrom && !isZero(bytes.subarray(offset, offset + size))) {
      const at = `reserved@${hexOffset(offset)}`
      throw new WireError(
        'ERR_REPORT_RESERVED',
        `the ${size} reserved bytes at ${hexOffset(offset)} of a version ${version} report must be zero`,
        at,
      )
    }
  }
  const byteFields = Object.fromEntries(
    BYTE_FIELD_NAMES.map((name) => {
      const [offset, size] = BYTE_FIELDS[name]
      return [name, copyBytes(bytes, offset, offset + size)]
    }),
  ) as Record<ByteField, Uint8Array>
  return {
    ...byteFields,
    version,
    guestSvn: view.getUint32(0x004, true),
    policy: view.getBigUint64(0x008, true),
    vmpl: view.getUint32(0x030, true),
    signatureAlgo: view.getUint32(0x034, true),
    platformInfo: view.getBigUint64(0x040, true),
    keyInfo: view.getUint32(0x048, true),
    ...(version >= 3 && {
      cpuidFamily: view.getUint8(0x188),
      cpuidModel: view.getUint8(0x189),
      cpuidStepping: view.getUint8(0x18a),
    }),
    current: { build: view.getUint8(0x1e8), minor: view.getUint8(0x1e9), major: view.getUint8(0x1ea) },
    committed: { build: view.getUint8(0x1ec), minor: view.getUint8(0x1ed), major: view.getUint8(0x1ee) },
    ...(version >= 5 && {
      launchMitVector: view.getBigUint64(0x1f8, true),
      currentMitVector: view.getBigUint64(0x200, true),
    }),
  }
}

/**
 * Writes a report with the signature left zero; `setReportSignature` fills it in.
 * @throws WireError `ERR_REPORT_FIELD` when a byte string has the wrong size or a field does not exist in that version
 */
export function encodeReport(report: SnpReport): Uint8Array<ArrayBuffer> {
  if (!Number.isInteger(report.version) || report.version < 1 || report.version > 5) {
    throw new WireError('ERR_REPORT_VERSION', `report version ${report.version} is not one of 1 to 5`, 'version@0x000')
  }
  const bytes = new Uint8Array(REPORT_SIZE)
  const view = viewOf(bytes)
  for (const name of BYTE_FIELD_NAMES) {
    const [offset, size] = BYTE_FIELDS[name]
    const value = report[name]
    if (value.length !== size) {
      throw new WireError(
        'ERR_REPORT_FIELD',
        `${name} is ${size} bytes, these are ${value.length}`,
        `${name}@${hexOffset(offset)}`,
      )
    }
    bytes.set(value, offset)
  }
  view.setUint32(0x000, report.version, true)
  view.setUint32(0x004, report.guestSvn, true)
  view.setBigUint64(0x008, report.policy, true)
  view.setUint32(0x030, report.vmpl, true)
  view.setUint32(0x034, report.signatureAlgo, true)
  view.setBigUint64(0x040, report.platformInfo, true)
  view.setUint32(0x048, report.keyInfo, true)
  const cpuid = [report.cpuidFamily, report.cpuidModel, report.cpuidStepping]
  requireVersion(report, 3, 'cpuid', 0x188, cpuid)
  bytes.set(
    cpuid.map((part) => part ?? 0),
    0x188,
  )
  bytes.set([report.current.build, report.current.minor, report.current.major], 0x1e8)
  bytes.set([report.committed.build, report.committed.minor, report.committed.major], 0x1ec)
  requireVersion(report, 5, 'mitigation vectors', 0x1f8, [report.launchMitVector, report.currentMitVector])
  view.setBigUint64(0x1f8, report.launchMitVector ?? 0n, true)
  view.setBigUint64(0x200, report.currentMitVector ?? 0n, true)
  return bytes
}

/**
 * The signature of a report as R then S, 48 bytes each, big-endian (IEEE P1363): what common libraries verify.
 * @throws WireError `ERR_REPORT_SIZE`, `ERR_REPORT_SIGNATURE` when a byte beyond the two numbers is not zero
 */
export function reportSignature(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  if (bytes.length !== REPORT_SIZE) {
    throw new WireError(
      'ERR_REPORT_SIZE',
      `a report is ${REPORT_SIZE} bytes, these are ${bytes.length}`,
      'report@0x000',
    )
  }
  const gaps: readonly (readonly [string, number, number])[] = [
    ['signature.r', R_OFFSET + SCALAR, S_OFFSET],
    ['signature.s', S_OFFSET + SCALAR, SIGNATURE_TAIL],
    ['signature', SIGNATURE_TAIL, REPORT_SIZE],
  ]
  for (const [field, start, end] of gaps) {
    if (!isZero(bytes.subarray(start, end))) {
      throw new WireError(
        'ERR_REPORT_SIGNATURE',
        `bytes ${hexOffset(start)} to ${hexOffset(end - 1)} of the signature must be zero`,
        `${field}@${hexOffset(start)}`,
      )
    }
  }
  const signature = new Uint8Array(2 * SCALAR)
  signature.set(copyBytes(bytes, R_OFFSET, R_OFFSET + SCALAR).reverse(), 0)
  signature.set(copyBytes(bytes, S_OFFSET, S_OFFSET + SCALAR).reverse(), SCALAR)
  return signature
}

/** Writes a 96-byte IEEE P1363 signature into a report, in AMD's little-endian form. */
export function setReportSignature(bytes: Uint8Array, p1363: Uint8Array): void {
  if (bytes.length !== REPORT_SIZE) {
    throw new WireError(
      'ERR_REPORT_SIZE',
      `a report is ${REPORT_SIZE} bytes, these are ${bytes.length}`,
      'report@0x000',
    )
  }
  if (p1363.length !== 2 * SCALAR) {
    throw new WireError(
      'ERR_REPORT_SIGNATURE',
      `a P-384 signature is ${2 * SCALAR} bytes, these are ${p1363.length}`,
      'signature@0x2a0',
    )
  }
  bytes.fill(0, REPORT_SIGNED_SIZE)
  bytes.set(copyBytes(p1363, 0, SCALAR).reverse(), R_OFFSET)
  bytes.set(copyBytes(p1363, SCALAR).reverse(), S_OFFSET)
}

/** Which key signed, from key_info bits 4:2. `none`: the report is unsigned. */
export function signingKeyOf(report: Pick<SnpReport, 'keyInfo'>): 'VCEK' | 'VLEK' | 'none' | 'reserved' {
  const selector = (report.keyInfo >>> 2) & 7
  return selector === 0 ? 'VCEK' : selector === 1 ? 'VLEK' : selector === 7 ? 'none' : 'reserved'
}

/**
 * The product by the cpuid bytes (version 3 and later; AMD 56860 and the processor programming references).
 * Undefined for older versions, where only the certificate tells, and for products that are not known here.
 */
export function productOfReport(report: Pick<SnpReport, 'cpuidFamily' | 'cpuidModel'>): SnpProduct | undefined {
  const { cpuidFamily: family, cpuidModel: model } = report
  if (family === undefined || model === undefined) return undefined
  if (family === 0x19 && model <= 0x0f) return 'Milan'
  if (family === 0x19 && ((model >= 0x10 && model <= 0x1f) || (model >= 0xa0 && model <= 0xaf))) return 'Genoa'
  if (family === 0x1a && model <= 0x11) return 'Turin'
  return undefined
}

function requireVersion(
  report: SnpReport,
  from: number,
  what: string,
  offset: number,
  values: readonly unknown[],
): void {
  if (report.version < from && values.some((value) => value !== undefined)) {
    throw new WireError('ERR_REPORT_FIELD', `${what} exist from version ${from} on`, `${what}@${hexOffset(offset)}`)
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function hexOffset(offset: number): string {
  return `0x${offset.toString(16).padStart(3, '0')}`
}
