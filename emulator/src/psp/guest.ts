import { hkdfSync, type KeyObject, sign } from 'node:crypto'
import {
  type DecodedKeyRequest,
  encodeGuestPolicy,
  encodeReport,
  encodeTcb,
  GUEST_FIELD,
  REPORT_SIGNED_SIZE,
  type SnpReport,
  setReportSignature,
  type TcbVersion,
} from '@skerry/guest/wire'
import { type ChipIdentity, CPUID, FIRMWARE, PLATFORM_INFO, PRODUCT } from './chip.ts'

/** What the firmware keeps of a guest from its launch on. */
export interface LaunchedGuest {
  /** 32 bytes. */
  readonly reportId: Uint8Array
  /** 48 bytes: the digest of the image that was launched. */
  readonly measurement: Uint8Array
  /** 32 bytes. */
  readonly hostData: Uint8Array
  readonly debug: boolean
  /** The VMPL whose communication key the guest's driver holds. */
  readonly vmpl: number
  /** The host's TCB at launch; it does not change under a running guest here. */
  readonly tcb: TcbVersion
}

/** GUEST_SVN of the ID block of Azure's utility VM. Not the SVN of its endorsement. */
export const GUEST_SVN = 2

/** family_id and image_id of the same ID block: 1 and 2. */
const FAMILY_ID = Uint8Array.from({ length: 16 }, (_, at) => (at === 0 ? 1 : 0))
const IMAGE_ID = Uint8Array.from({ length: 16 }, (_, at) => (at === 0 ? 2 : 0))

const SIGNATURE_ALGO_ECDSA_P384_SHA384 = 1

/** 0x3001f, as on Azure: ABI 0.31, SMT allowed. With `debug` also bit 19. */
export function guestPolicy(debug: boolean): bigint {
  return encodeGuestPolicy({ abiMajor: 0, abiMinor: 31, smtAllowed: true, debugAllowed: debug })
}

/** The signed report of a guest (AMD 56860, ATTESTATION_REPORT version 3), 1184 bytes. */
export function signReport(
  guest: LaunchedGuest,
  chip: ChipIdentity,
  asked: { readonly reportData: Uint8Array; readonly vmpl: number },
  vcek: KeyObject,
): Uint8Array {
  const tcb = encodeTcb(guest.tcb, PRODUCT)
  const fields: SnpReport = {
    version: 3,
    guestSvn: GUEST_SVN,
    policy: guestPolicy(guest.debug),
    familyId: FAMILY_ID,
    imageId: IMAGE_ID,
    vmpl: asked.vmpl,
    signatureAlgo: SIGNATURE_ALGO_ECDSA_P384_SHA384,
    currentTcb: tcb,
    platformInfo: PLATFORM_INFO,
    keyInfo: 0,
    reportData: asked.reportData,
    measurement: guest.measurement,
    hostData: guest.hostData,
    idKeyDigest: chip.idKeyDigest,
    authorKeyDigest: new Uint8Array(48),
    reportId: guest.reportId,
    reportIdMa: new Uint8Array(32).fill(0xff),
    reportedTcb: tcb,
    cpuidFamily: CPUID.family,
    cpuidModel: CPUID.model,
    cpuidStepping: CPUID.stepping,
    chipId: chip.chipId,
    committedTcb: tcb,
    current: FIRMWARE,
    committed: FIRMWARE,
    launchTcb: tcb,
  }
  const report = encodeReport(fields)
  const signed = report.subarray(0, REPORT_SIGNED_SIZE)
  setReportSignature(report, sign('sha384', signed, { key: vcek, dsaEncoding: 'ieee-p1363' }))
  return report
}

/**
 * The key of MSG_KEY_REQ, 32 bytes: the same for the same chip, guest and question. Which fields are always mixed in is
 * the firmware's rule; its key derivation is not published, so HKDF over a secret of the chip stands in for it.
 */
export function deriveKey(guest: LaunchedGuest, chip: ChipIdentity, asked: DecodedKeyRequest): Uint8Array {
  const selected = (bit: bigint, value: () => Uint8Array) => ((asked.guestFieldSelect & bit) === 0n ? [] : [value()])
  const context = [
    u64(BigInt(asked.rootKeySelect)),
    u64(BigInt(asked.vmpl)),
    u64(asked.guestFieldSelect),
    guest.hostData,
    chip.idKeyDigest,
    ...selected(GUEST_FIELD.policy, () => u64(guestPolicy(guest.debug))),
    ...selected(GUEST_FIELD.imageId, () => IMAGE_ID),
    ...selected(GUEST_FIELD.familyId, () => FAMILY_ID),
    ...selected(GUEST_FIELD.measurement, () => guest.measurement),
    ...selected(GUEST_FIELD.guestSvn, () => u64(BigInt(asked.guestSvn))),
    ...selected(GUEST_FIELD.tcbVersion, () => asked.tcbVersion),
  ]
  const info = Buffer.concat([Buffer.from('gmsg-keyreq'), ...context])
  return new Uint8Array(hkdfSync('sha384', chip.derivationSecret, chip.chipId, info, 32))
}

function u64(value: bigint): Uint8Array {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(value)
  return bytes
}
