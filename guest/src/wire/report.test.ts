import { describe, expect, it } from 'vitest'
import { decodeHex } from './bytes.ts'
import { WireError } from './errors.ts'
import {
  decodeReport,
  encodeReport,
  productOfReport,
  REPORT_SIZE,
  reportSignature,
  type SnpReport,
  setReportSignature,
  signingKeyOf,
} from './report.ts'
import { tcbToHex } from './tcb.ts'

const filled = (size: number, value: number) => new Uint8Array(size).fill(value)

const REPORT: SnpReport = {
  version: 3,
  guestSvn: 2,
  policy: 0x3001fn,
  familyId: filled(16, 1),
  imageId: filled(16, 2),
  vmpl: 0xffffffff,
  signatureAlgo: 1,
  currentTcb: decodeHex('04000000000018db'),
  platformInfo: 0x25n,
  keyInfo: 0,
  reportData: filled(64, 3),
  measurement: filled(48, 4),
  hostData: filled(32, 5),
  idKeyDigest: filled(48, 6),
  authorKeyDigest: filled(48, 0),
  reportId: filled(32, 7),
  reportIdMa: filled(32, 0xff),
  reportedTcb: decodeHex('04000000000018db'),
  cpuidFamily: 0x19,
  cpuidModel: 1,
  cpuidStepping: 1,
  chipId: filled(64, 8),
  committedTcb: decodeHex('04000000000018db'),
  current: { build: 29, minor: 55, major: 1 },
  committed: { build: 4, minor: 52, major: 1 },
  launchTcb: decodeHex('04000000000018db'),
}

const failure = (run: () => unknown): { code: string; at: string | undefined } => {
  try {
    run()
  } catch (error) {
    expect(error).toBeInstanceOf(WireError)
    const { code, at } = error as WireError
    return { code, at }
  }
  throw new Error('nothing was thrown')
}

describe('a report', () => {
  it('keeps every field through encoding and decoding', () => {
    expect(decodeReport(encodeReport(REPORT))).toEqual(REPORT)
  })

  it('of version 5 has mitigation vectors', () => {
    const report = { ...REPORT, version: 5, launchMitVector: 0x3fn, currentMitVector: 0x1fn }
    expect(decodeReport(encodeReport(report))).toEqual(report)
  })

  it('of version 2 has neither cpuid nor mitigation vectors', () => {
    const { cpuidFamily: _f, cpuidModel: _m, cpuidStepping: _s, ...older } = REPORT
    const report = decodeReport(encodeReport({ ...older, version: 2 }))
    expect(report).not.toHaveProperty('cpuidFamily')
    expect(report).not.toHaveProperty('launchMitVector')
    expect(failure(() => encodeReport({ ...REPORT, version: 2 })).code).toBe('ERR_REPORT_FIELD')
  })

  it('of the wrong size is refused', () => {
    expect(failure(() => decodeReport(new Uint8Array(REPORT_SIZE - 1)))).toEqual({
      code: 'ERR_REPORT_SIZE',
      at: 'report@0x000',
    })
  })

  it.each([0, 6])('of version %i is refused', (version) => {
    const bytes = encodeReport(REPORT)
    bytes[0] = version
    expect(failure(() => decodeReport(bytes))).toEqual({ code: 'ERR_REPORT_VERSION', at: 'version@0x000' })
  })

  it.each([0x04c, 0x18b, 0x19f, 0x1eb, 0x1ef, 0x1f8, 0x208, 0x29f])(
    'with reserved byte %i not zero is refused, and the range named',
    (offset) => {
      const bytes = encodeReport(REPORT)
      bytes[offset] = 1
      const { code, at } = failure(() => decodeReport(bytes))
      expect(code).toBe('ERR_REPORT_RESERVED')
      expect(Number(at?.split('@')[1])).toBeLessThanOrEqual(offset)
    },
  )

  it('with a field of the wrong size is not encoded', () => {
    expect(failure(() => encodeReport({ ...REPORT, hostData: filled(31, 0) }))).toEqual({
      code: 'ERR_REPORT_FIELD',
      at: 'hostData@0x0c0',
    })
  })

  it('is read from the middle of a larger buffer', () => {
    const buffer = new Uint8Array(32 + REPORT_SIZE)
    buffer.set(encodeReport(REPORT), 32)
    expect(decodeReport(buffer.subarray(32))).toEqual(REPORT)
  })
})

describe('a signature', () => {
  const signature = Uint8Array.from({ length: 96 }, (_, index) => index)

  it('stands little-endian in the report and big-endian outside', () => {
    const bytes = encodeReport(REPORT)
    setReportSignature(bytes, signature)
    expect(bytes[0x2a0]).toBe(47)
    expect(bytes[0x2a0 + 47]).toBe(0)
    expect(bytes[0x2e8]).toBe(95)
    expect(reportSignature(bytes)).toEqual(signature)
  })

  it.each([0x2a0 + 48, 0x2e8 + 48, 0x330, REPORT_SIZE - 1])(
    'with byte %i beyond its numbers not zero is refused',
    (offset) => {
      const bytes = encodeReport(REPORT)
      bytes[offset] = 1
      expect(failure(() => reportSignature(bytes)).code).toBe('ERR_REPORT_SIGNATURE')
    },
  )

  it('leaves a Buffer that it reads or writes from as it was', () => {
    const given = Buffer.from(signature)
    const bytes = Buffer.from(encodeReport(REPORT))
    setReportSignature(bytes, given)
    const before = Buffer.from(bytes)
    expect([...reportSignature(bytes)]).toEqual([...signature])
    expect(tcbToHex(decodeReport(bytes).reportedTcb)).toBe('DB18000000000004')
    expect(given.equals(Buffer.from(signature))).toBe(true)
    expect(bytes.equals(before)).toBe(true)
  })

  it('of another size is not written', () => {
    expect(failure(() => setReportSignature(encodeReport(REPORT), signature.subarray(1))).code).toBe(
      'ERR_REPORT_SIGNATURE',
    )
  })
})

describe('what a report says of its making', () => {
  it.each([
    [0x19, 0x01, 'Milan'],
    [0x19, 0x11, 'Genoa'],
    [0x19, 0xa0, 'Genoa'],
    [0x1a, 0x02, 'Turin'],
    [0x1a, 0x50, undefined],
    [0x17, 0x31, undefined],
  ])('family %i, model %i is %s', (cpuidFamily, cpuidModel, product) => {
    expect(productOfReport({ cpuidFamily, cpuidModel })).toBe(product)
  })

  it.each([
    [0x0, 'VCEK'],
    [0x4, 'VLEK'],
    [0x1c, 'none'],
    [0x8, 'reserved'],
  ])('key_info %i: signed by %s', (keyInfo, key) => {
    expect(signingKeyOf({ keyInfo })).toBe(key)
  })
})
