import { type KeyObject, sign } from 'node:crypto'
import {
  encodeReport,
  encodeTcb,
  REPORT_SIGNED_SIZE,
  SIGNATURE_ALGO_ECDSA_P384_SHA384,
  type SnpReport,
  setReportSignature,
} from '@skerry/guest/wire'
import type { ChipIdentity } from './chip.ts'
import type { LaunchedGuest } from './launch.ts'
import type { HostSettings } from './options.ts'
import type { ProcessorTcb } from './types.ts'

export interface ReportContent {
  readonly guest: LaunchedGuest
  readonly settings: HostSettings
  readonly chip: ChipIdentity
  readonly tcb: ProcessorTcb
  /** 64 bytes. */
  readonly reportData: Uint8Array
  readonly vmpl: number
}

/** Which key a report is signed with; `none` where the host forbids the only one there is. */
export type SigningKey = 'vcek' | 'vlek' | 'none'

/** Bits 4:2 of key_info. */
const SIGNING_KEY: Readonly<Record<SigningKey, number>> = { vcek: 0, vlek: 1, none: 7 }

/** The report of a guest (AMD 56860, ATTESTATION_REPORT), 1184 bytes; the signature is zero without a key. */
export function writeReport(content: ReportContent, signingKey: SigningKey, key: KeyObject | undefined): Uint8Array {
  const report = encodeReport(reportFields(content, signingKey))
  if (key !== undefined) {
    const signed = report.subarray(0, REPORT_SIGNED_SIZE)
    setReportSignature(report, sign('sha384', signed, { key, dsaEncoding: 'ieee-p1363' }))
  }
  return report
}

function reportFields(content: ReportContent, signingKey: SigningKey): SnpReport {
  const { guest, settings, chip, tcb } = content
  const { product, reportVersion, cpuId, firmware } = settings
  const authorKey = guest.authorKeyDigest !== undefined
  return {
    version: reportVersion,
    guestSvn: guest.guestSvn,
    policy: guest.policy,
    familyId: guest.familyId,
    imageId: guest.imageId,
    vmpl: content.vmpl,
    signatureAlgo: SIGNATURE_ALGO_ECDSA_P384_SHA384,
    currentTcb: encodeTcb(tcb.current, product),
    platformInfo: settings.platformInfo,
    keyInfo: (authorKey ? 1 : 0) | (settings.maskChipKey ? 2 : 0) | (SIGNING_KEY[signingKey] << 2),
    reportData: content.reportData,
    measurement: guest.measurement,
    hostData: guest.hostData,
    idKeyDigest: guest.idKeyDigest ?? chip.idKeyDigest,
    authorKeyDigest: guest.authorKeyDigest ?? new Uint8Array(48),
    reportId: guest.reportId,
    // No migration agent is ever associated.
    reportIdMa: new Uint8Array(32).fill(0xff),
    reportedTcb: encodeTcb(tcb.reported, product),
    ...(reportVersion >= 3 && {
      cpuidFamily: cpuId.family,
      cpuidModel: cpuId.model,
      cpuidStepping: cpuId.stepping,
    }),
    chipId: settings.maskChipId ? new Uint8Array(64) : chip.chipId,
    committedTcb: encodeTcb(tcb.committed, product),
    current: firmware,
    committed: firmware,
    launchTcb: encodeTcb(guest.launchTcb, product),
    ...(reportVersion >= 5 && {
      launchMitVector: guest.launchMitVector,
      currentMitVector: settings.mitigationVector,
    }),
  }
}
