import { describe, expect, it } from 'vitest'
import { encodeHex } from './bytes.ts'
import { encodeGuestPolicy } from './guest-policy.ts'
import type { SnpReport } from './report.ts'
import { snpClaims } from './snp-claims.ts'

const filled = (size: number, first: number) => Uint8Array.from({ length: size }, (_, index) => (first + index) & 0xff)

const REPORT: SnpReport = {
  version: 3,
  guestSvn: 0xfffffffe,
  policy: 0x3001fn,
  familyId: filled(16, 0x01),
  imageId: filled(16, 0x02),
  vmpl: 0,
  signatureAlgo: 1,
  currentTcb: filled(8, 0xf0),
  platformInfo: 0x25n,
  keyInfo: 0,
  reportData: filled(64, 0x10),
  measurement: filled(48, 0x20),
  hostData: filled(32, 0x30),
  idKeyDigest: filled(48, 0x40),
  authorKeyDigest: filled(48, 0x50),
  reportId: filled(32, 0x60),
  reportIdMa: filled(32, 0x70),
  reportedTcb: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
  cpuidFamily: 0x19,
  cpuidModel: 1,
  cpuidStepping: 1,
  chipId: filled(64, 0x80),
  committedTcb: filled(8, 0xe0),
  current: { build: 1, minor: 2, major: 3 },
  committed: { build: 1, minor: 2, major: 3 },
  launchTcb: filled(8, 0xd0),
}

const claim = (name: string, change: Partial<SnpReport>) =>
  snpClaims({ ...REPORT, ...change }, 'Milan')[`x-ms-sevsnpvm-${name}`]
const policy = (flags: object) => ({ policy: encodeGuestPolicy({ abiMajor: 0, abiMinor: 31, ...flags }) })

describe('the claims of a report', () => {
  it('are these, each of its type, byte strings in lower-case hex in memory order', () => {
    expect(snpClaims(REPORT, 'Milan')).toEqual({
      'x-ms-attestation-type': 'sevsnpvm',
      'x-ms-sevsnpvm-authorkeydigest': encodeHex(REPORT.authorKeyDigest),
      'x-ms-sevsnpvm-bootloader-svn': 1,
      'x-ms-sevsnpvm-familyId': '0102030405060708090a0b0c0d0e0f10',
      'x-ms-sevsnpvm-guestsvn': 0xfffffffe,
      'x-ms-sevsnpvm-hostdata': encodeHex(REPORT.hostData),
      'x-ms-sevsnpvm-idkeydigest': encodeHex(REPORT.idKeyDigest),
      'x-ms-sevsnpvm-imageId': '02030405060708090a0b0c0d0e0f1011',
      'x-ms-sevsnpvm-is-debuggable': false,
      'x-ms-sevsnpvm-launchmeasurement': encodeHex(REPORT.measurement),
      'x-ms-sevsnpvm-microcode-svn': 8,
      'x-ms-sevsnpvm-migration-allowed': false,
      'x-ms-sevsnpvm-reportdata': encodeHex(REPORT.reportData),
      'x-ms-sevsnpvm-reportid': encodeHex(REPORT.reportId),
      'x-ms-sevsnpvm-smt-allowed': true,
      'x-ms-sevsnpvm-snpfw-svn': 7,
      'x-ms-sevsnpvm-tee-svn': 2,
      'x-ms-sevsnpvm-vmpl': 0,
    })
  })

  it('have the levels of reported_tcb in the order of a Turin, and none for its FMC', () => {
    expect(snpClaims(REPORT, 'Turin')).toMatchObject({
      'x-ms-sevsnpvm-bootloader-svn': 2,
      'x-ms-sevsnpvm-tee-svn': 3,
      'x-ms-sevsnpvm-snpfw-svn': 4,
      'x-ms-sevsnpvm-microcode-svn': 8,
    })
    expect(Object.keys(snpClaims(REPORT, 'Turin'))).toEqual(Object.keys(snpClaims(REPORT, 'Genoa')))
  })

  it.each([
    ['is-debuggable', policy({ debugAllowed: true }), true],
    ['migration-allowed', policy({ migrationAllowed: true }), true],
    ['smt-allowed', policy({ smtAllowed: false }), false],
    // What the platform does is another matter than what the guest allows.
    ['smt-allowed', { platformInfo: 0n }, true],
    ['vmpl', { vmpl: 3 }, 3],
    ['vmpl', { vmpl: 0xffffffff }, 4_294_967_295],
  ] as const)('%s follows the report: %#', (name, change, wanted) => {
    expect(claim(name, change)).toBe(wanted)
  })

  it('say nothing of chip, platform, firmware and the other TCBs', () => {
    const text = JSON.stringify(snpClaims(REPORT, 'Milan'))
    for (const silent of [REPORT.chipId, REPORT.committedTcb, REPORT.launchTcb, REPORT.currentTcb, REPORT.reportIdMa]) {
      expect(text).not.toContain(encodeHex(silent))
    }
  })
})
