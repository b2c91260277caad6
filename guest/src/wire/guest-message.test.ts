import { describe, expect, it } from 'vitest'
import { CERTIFICATE_GUIDS, decodeCertificateTable, encodeCertificateTable } from './certificate-table.ts'
import {
  decodeKeyRequest,
  decodeKeyResponse,
  decodeReportRequest,
  decodeReportResponse,
  encodeExtReportRequest,
  encodeKeyRequest,
  encodeKeyResponse,
  encodeReportRequest,
  encodeReportResponse,
  GUEST_FIELD,
  MESSAGE_STATUS,
  SEV_REPORT,
  SNP_GET_EXT_REPORT,
  SNP_GET_REPORT,
} from './guest-message.ts'
import { REPORT_SIZE } from './report.ts'

const reportData = new Uint8Array(64).fill(9)

describe('the ioctl numbers', () => {
  it('are those of Linux and of Azure’s 5.15', () => {
    expect([SNP_GET_REPORT, SNP_GET_EXT_REPORT, SEV_REPORT]).toEqual([3223343872, 3223343874, 3223868161])
  })
})

describe('a report request', () => {
  it('is 96 bytes: data, VMPL, key selection', () => {
    const bytes = encodeReportRequest({ reportData, vmpl: 1, keySelect: 2 })
    expect(bytes.length).toBe(96)
    expect([bytes[0x40], bytes[0x44]]).toEqual([1, 2])
    expect(decodeReportRequest(bytes)).toEqual({ reportData, vmpl: 1, keySelect: 2, reservedBitsSet: false })
  })

  it.each([0x45, 0x48, 0x5f])('shows that reserved byte %i is set', (offset) => {
    const bytes = encodeReportRequest({ reportData, vmpl: 0 })
    bytes[offset] = 1
    expect(decodeReportRequest(bytes).reservedBitsSet).toBe(true)
  })

  it('takes 64 bytes of data and no other number', () => {
    expect(() => encodeReportRequest({ reportData: reportData.subarray(1), vmpl: 0 })).toThrow('reportData is 64 bytes')
    expect(() => decodeReportRequest(new Uint8Array(95))).toThrow('96 bytes')
  })

  it('of the extended kind adds where certificates go', () => {
    const bytes = encodeExtReportRequest({ reportData, vmpl: 0 }, 0x1000n, 0x4000)
    expect(bytes.length).toBe(112)
    expect(new DataView(bytes.buffer).getBigUint64(96, true)).toBe(0x1000n)
    expect(new DataView(bytes.buffer).getUint32(104, true)).toBe(0x4000)
  })
})

describe('a report response', () => {
  it('is 1216 bytes and read from the driver’s larger buffer', () => {
    const report = new Uint8Array(REPORT_SIZE).fill(7)
    const bytes = encodeReportResponse({ status: MESSAGE_STATUS.success, report })
    expect(bytes.length).toBe(1216)
    const buffer = new Uint8Array(4000)
    buffer.set(bytes)
    expect(decodeReportResponse(buffer)).toEqual({ status: 0, report })
  })

  it('that failed still says 1184, with zero bytes', () => {
    const bytes = encodeReportResponse({ status: MESSAGE_STATUS.invalidKeySelection })
    expect(new DataView(bytes.buffer).getUint32(4, true)).toBe(REPORT_SIZE)
    expect(decodeReportResponse(bytes).status).toBe(0x27)
  })

  it('that is short, or announces another size, is refused', () => {
    const bytes = encodeReportResponse({ status: 0 })
    expect(() => decodeReportResponse(bytes.subarray(1))).toThrow('1216 bytes')
    bytes[4] = 1
    expect(() => decodeReportResponse(bytes)).toThrow('announces a report')
  })
})

describe('a key request and its response', () => {
  it('keep their fields', () => {
    const tcbVersion = new Uint8Array(8).fill(3)
    const request = {
      rootKeySelect: 1,
      keySelect: 0,
      guestFieldSelect: GUEST_FIELD.measurement | GUEST_FIELD.tcbVersion,
      vmpl: 2,
      guestSvn: 5,
      tcbVersion,
    } as const
    const found = { ...request, launchMitVector: 0n, reservedBitsSet: false }
    expect(decodeKeyRequest(encodeKeyRequest(request))).toEqual(found)
    const key = new Uint8Array(32).fill(4)
    expect(decodeKeyResponse(encodeKeyResponse({ status: 0, key }))).toEqual({ status: 0, key })
  })

  it('are 40 bytes with a launch mitigation vector, 32 without, and no other size', () => {
    const request = { rootKeySelect: 0, guestFieldSelect: GUEST_FIELD.launchMitVector, vmpl: 0 } as const
    const bytes = encodeKeyRequest({ ...request, launchMitVector: 0x3fn })
    expect(bytes.length).toBe(40)
    expect(decodeKeyRequest(bytes).launchMitVector).toBe(0x3fn)
    expect(encodeKeyRequest(request).length).toBe(32)
    expect(() => decodeKeyRequest(bytes.subarray(0, 39))).toThrow('MSG_KEY_REQ is 32 bytes')
  })

  it('show reserved bits', () => {
    const bytes = encodeKeyRequest({ rootKeySelect: 0, guestFieldSelect: 0n, vmpl: 0 })
    bytes[4] = 1
    expect(decodeKeyRequest(bytes).reservedBitsSet).toBe(true)
  })
})

describe('a certificate table', () => {
  const entries = [
    { guid: CERTIFICATE_GUIDS.vcek, data: Uint8Array.of(1, 2, 3) },
    { guid: CERTIFICATE_GUIDS.ark, data: Uint8Array.of(4) },
  ]

  it('writes GUIDs in RFC 4122 order and offsets from its start', () => {
    const table = encodeCertificateTable(entries)
    expect([...table.subarray(0, 4)]).toEqual([0x63, 0xda, 0x75, 0x8d])
    expect(new DataView(table.buffer).getUint32(16, true)).toBe(72)
    expect(decodeCertificateTable(table)).toEqual(entries)
  })

  it('is empty when the host gave nothing but the end', () => {
    expect(decodeCertificateTable(new Uint8Array(4096))).toEqual([])
  })

  it('without an end, or with an entry that points outside, is refused', () => {
    expect(() => decodeCertificateTable(encodeCertificateTable(entries).subarray(0, 48))).toThrow()
    expect(() => decodeCertificateTable(encodeCertificateTable(entries).subarray(0, 74))).toThrow('ends at byte 75')
  })
})
