import type { SnpDevice } from '../device/index.ts'
import {
  encodeGuestPolicy,
  encodeReport,
  encodeTcb,
  type SnpReport,
  type TcbVersion,
  type ThimCertification,
  tcbToHex,
  VCEK_OIDS,
} from '../wire/index.ts'
import { issue } from './certificates.ts'

/**
 * The shape of a Milan chip for tests of what lies above the device: reports with every field in its place and no
 * signature (nothing above the device verifies one; MAA does), and a VCEK certificate with AMD's extensions.
 */
export const CHIP_ID = new Uint8Array(64).fill(0xc1)
export const HOST_DATA = new Uint8Array(32).fill(0x1d)
export const TCB: TcbVersion = { bootLoader: 4, tee: 0, snp: 24, microcode: 219 }
export const NEWER_TCB: TcbVersion = { ...TCB, microcode: 220 }

export function reportOf(reportData: Uint8Array, tcb: TcbVersion = TCB): Uint8Array {
  const tcbBytes = encodeTcb(tcb, 'Milan')
  const zeros = (length: number) => new Uint8Array(length)
  const version = { build: 1, minor: 55, major: 1 }
  const report: SnpReport = {
    version: 3,
    guestSvn: 2,
    policy: encodeGuestPolicy({ abiMajor: 0, abiMinor: 31, smtAllowed: true }),
    familyId: zeros(16),
    imageId: zeros(16),
    vmpl: 0,
    signatureAlgo: 1,
    currentTcb: tcbBytes,
    platformInfo: 1n,
    keyInfo: 0,
    reportData,
    measurement: zeros(48),
    hostData: HOST_DATA,
    idKeyDigest: zeros(48),
    authorKeyDigest: zeros(48),
    reportId: zeros(32),
    reportIdMa: zeros(32),
    reportedTcb: tcbBytes,
    cpuidFamily: 0x19,
    cpuidModel: 1,
    cpuidStepping: 1,
    chipId: CHIP_ID,
    committedTcb: tcbBytes,
    current: version,
    committed: version,
    launchTcb: tcbBytes,
  }
  return encodeReport(report)
}

export function certificationOf(
  tcb: TcbVersion = TCB,
  certified: TcbVersion = tcb,
  chipId = CHIP_ID,
): ThimCertification {
  const integer = (value: number) => new Uint8Array(value < 128 ? [2, 1, value] : [2, 2, 0, value])
  const levels = { ...VCEK_LEVELS, ...certified }
  const vcek = issue({
    name: 'SEV-VCEK',
    extensions: [
      { oid: VCEK_OIDS.structureVersion, der: integer(0) },
      { oid: VCEK_OIDS.productName, der: new Uint8Array([0x16, 8, ...Buffer.from('Milan-B0')]) },
      ...Object.entries(levels).map(([name, value]) => ({
        oid: VCEK_OIDS[name as keyof typeof VCEK_LEVELS],
        der: integer(value),
      })),
      { oid: VCEK_OIDS.hwid, der: chipId },
    ],
  })
  const ask = issue({ name: 'SEV-Milan', ca: true })
  return {
    vcekCert: vcek.pem,
    tcbm: tcbToHex(encodeTcb(tcb, 'Milan')),
    certificateChain: ask.pem,
    cacheControl: '86400',
  }
}

/** A device that answers with these TCBs, one after the other, the last one for good. */
export function deviceWith(...tcbs: readonly TcbVersion[]): SnpDevice & { readonly asked: Uint8Array[] } {
  const asked: Uint8Array[] = []
  return {
    asked,
    getReport: async (reportData) => {
      asked.push(reportData)
      return reportOf(reportData, tcbs[Math.min(asked.length, tcbs.length) - 1])
    },
    close: () => undefined,
  }
}

const VCEK_LEVELS = { bootLoader: 0, tee: 0, spl4: 0, spl5: 0, spl6: 0, spl7: 0, snp: 0, microcode: 0 }
