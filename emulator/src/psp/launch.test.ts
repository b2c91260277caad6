import { decodeReport, decodeReportResponse, encodeGuestPolicy, encodeReportRequest } from '@skerry/guest/wire'
import { describe, expect, it } from 'vitest'
import { createTestContext } from '../core/test-context.ts'
import { createProcessor, FirmwareError, type LaunchOptions } from './index.ts'

const psp = createProcessor(createTestContext().ctx)
const HOST_DATA = new Uint8Array(32).fill(7)
const filled = (size: number, value: number) => new Uint8Array(size).fill(value)

async function launchedReport(options: Partial<LaunchOptions>) {
  const guest = psp.launch({ hostData: HOST_DATA, ...options })
  const request = encodeReportRequest({ reportData: new Uint8Array(64), vmpl: options.vmpl ?? 0 })
  return decodeReport(decodeReportResponse(await guest.reportRequest(request)).report)
}

describe('a guest', () => {
  it('has in its reports what it was launched with', async () => {
    const options = {
      policy: encodeGuestPolicy({ abiMajor: 1, abiMinor: 51, smtAllowed: true, singleSocket: true }),
      measurement: filled(48, 1),
      guestSvn: 0xffff_ffff,
      familyId: filled(16, 2),
      imageId: filled(16, 3),
      idKeyDigest: filled(48, 4),
      authorKeyDigest: filled(48, 5),
      vmpl: 2,
    } as const
    expect(await launchedReport(options)).toMatchObject({ ...options, hostData: HOST_DATA, keyInfo: 1 })
  })

  it('is otherwise one of confidential ACI', async () => {
    const report = await launchedReport({})
    expect(report).toMatchObject({ policy: 0x3001fn, guestSvn: 2, vmpl: 0, keyInfo: 0, authorKeyDigest: filled(48, 0) })
    expect([report.familyId[0], report.imageId[0]]).toEqual([1, 2])
    expect(report.reportIdMa).toEqual(filled(32, 0xff))
    expect(report.measurement).toEqual(psp.uvm.launchMeasurement)
  })

  it('does not share memory with whoever launched it', async () => {
    const hostData = filled(32, 7)
    const guest = psp.launch({ hostData })
    hostData.fill(0)
    const answer = await guest.reportRequest(encodeReportRequest({ reportData: new Uint8Array(64), vmpl: 0 }))
    expect(decodeReport(decodeReportResponse(answer).report).hostData).toEqual(HOST_DATA)
  })

  it.each([
    [{ hostData: filled(31, 0) }, 'hostData: 32 bytes wanted, 31 given'],
    [{ measurement: filled(32, 0) }, 'measurement: 48 bytes wanted, 32 given'],
    [{ familyId: filled(15, 0) }, 'familyId: 16 bytes wanted, 15 given'],
    [{ imageId: filled(17, 0) }, 'imageId: 16 bytes wanted, 17 given'],
    [{ idKeyDigest: filled(47, 0) }, 'idKeyDigest: 48 bytes wanted, 47 given'],
    [{ authorKeyDigest: filled(49, 0) }, 'authorKeyDigest: 48 bytes wanted, 49 given'],
    [{ guestSvn: -1 }, 'guestSvn: a u32 wanted, -1 given'],
  ])('with %o is refused by name', (options, message) => {
    expect(() => psp.launch({ hostData: HOST_DATA, ...options })).toThrow(new RangeError(message))
  })
})

describe('a guest policy', () => {
  const launch = (policy: bigint, platformInfo = 0x25n) => {
    const host = createProcessor(createTestContext().ctx, { platformInfo })
    return () => host.launch({ hostData: HOST_DATA, policy })
  }
  const azure = 0x3001fn

  it.each([
    ['without bit 17', 0x1001fn, 0x16],
    ['with a reserved bit', azure | (1n << 26n), 0x16],
    ['that wants a newer firmware', 0x3ffffn, 7],
    ['that forbids SMT, on a host that has it on', 0x2001fn, 7],
    ['that wants RAPL off, on a host that has it on', azure | (1n << 23n), 7],
    ['that wants ciphertext hiding, on a host without', azure | (1n << 24n), 7],
  ])('%s is refused by the firmware', (_, policy, status) => {
    expect(launch(policy)).toThrow(FirmwareError)
    expect(launch(policy)).toThrow(expect.objectContaining({ status }))
  })

  it('that wants what the host has is kept', () => {
    expect(launch(azure | (1n << 23n) | (1n << 24n), 0x3dn)).not.toThrow()
    expect(launch(0x2001fn, 0x24n)).not.toThrow()
  })
})
