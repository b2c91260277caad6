import { createHash, verify, X509Certificate } from 'node:crypto'
import {
  decodeReport,
  decodeReportResponse,
  decodeTcb,
  decodeVcekExtensions,
  encodeHex,
  encodeReportRequest,
  type KeySelect,
  pemToDer,
  productOfReport,
  REPORT_SIGNED_SIZE,
  reportSignature,
  type SnpProduct,
  signingKeyOf,
  tcbFromHex,
} from '@skerry/guest/wire'
import { describe, expect, it } from 'vitest'
import { createTestContext } from '../core/test-context.ts'
import { createProcessor, type ProcessorName, type ProcessorOptions, type VirtualGuest } from './index.ts'

const HOST_DATA = new Uint8Array(32).fill(3)

const processorOf = (options: ProcessorOptions = {}) => createProcessor(createTestContext().ctx, options)

async function answerOf(guest: VirtualGuest, keySelect: KeySelect = 0) {
  const request = encodeReportRequest({ reportData: new Uint8Array(64).fill(9), vmpl: 0, keySelect })
  return decodeReportResponse(await guest.reportRequest(request))
}

async function reportOf(options: ProcessorOptions, keySelect: KeySelect = 0) {
  const psp = processorOf(options)
  const { status, report: bytes } = await answerOf(psp.launch({ hostData: HOST_DATA }), keySelect)
  expect(status).toBe(0)
  return { psp, bytes, report: decodeReport(bytes) }
}

function verifies(bytes: Uint8Array, certificate: string | Uint8Array): boolean {
  const key = { key: new X509Certificate(certificate).publicKey, dsaEncoding: 'ieee-p1363' } as const
  return verify('sha384', bytes.subarray(0, REPORT_SIGNED_SIZE), key, reportSignature(bytes))
}

describe('a processor of each product', () => {
  it.each([
    ['Milan', 'Milan', 3, '190101', '04000000000018db', 0x25n],
    ['Genoa', 'Genoa', 3, '191101', '0a00000000001754', 0x27n],
    ['Bergamo', 'Genoa', 3, '19a002', '0a00000000001754', 0x27n],
    ['Siena', 'Genoa', 3, '19a002', '0a00000000001754', 0x27n],
    ['Turin', 'Turin', 5, '1a0201', '0101010400000051', 0x65n],
  ] as const)('%s writes reports as its hosts do', async (name, product, version, cpuid, tcb, platformInfo) => {
    const { psp, report } = await reportOf({ product: name })
    expect(psp.product).toBe(product)
    expect(productOfReport(report)).toBe(product)
    expect(report).toMatchObject({ version, platformInfo, keyInfo: 0, policy: 0x3001fn, guestSvn: 2 })
    const { cpuidFamily, cpuidModel, cpuidStepping } = report
    expect(encodeHex(Uint8Array.of(cpuidFamily!, cpuidModel!, cpuidStepping!))).toBe(cpuid)
    for (const level of ['currentTcb', 'committedTcb', 'reportedTcb', 'launchTcb'] as const) {
      expect([level, encodeHex(report[level])]).toEqual([level, tcb])
    }
  })

  it.each(['Milan', 'Genoa', 'Turin'] as const)('%s: report, certificate and THIM agree', async (product) => {
    const { psp, bytes, report } = await reportOf({ product })
    const { vcekCert, tcbm } = await psp.thim()
    expect(verifies(bytes, vcekCert)).toBe(true)
    expect(tcbFromHex(tcbm)).toEqual(report.reportedTcb)
    const { tcb, hwid } = decodeVcekExtensions(pemToDer(vcekCert)[0]!)
    expect(tcb).toEqual(decodeTcb(report.reportedTcb, product))
    expect(encodeHex(report.chipId)).toBe(encodeHex(hwid!).padEnd(128, '0'))
  })

  it('has roots of its own for each product', async () => {
    const roots = await Promise.all(
      (['Milan', 'Genoa', 'Turin'] as const).map((product) => processorOf({ product }).arkSpkiSha256()),
    )
    expect(new Set(roots).size).toBe(3)
  })
})

describe('the processors of one machine', () => {
  it('are one of each product, each with its own chip and root', async () => {
    const psp = processorOf()
    expect(psp.of('Milan')).toBe(psp)
    expect(psp.of('Turin')).toBe(psp.of('Turin').of('Turin'))
    expect((await psp.of('Turin').thim()).tcbm).toBe('5100000004010101')
  })

  it('are trusted for their own product once there was a use for them', async () => {
    const psp = processorOf({ product: 'Genoa' })
    const anchors = async () => (await psp.trustAnchors()).map(({ product }) => product)
    expect(await anchors()).toEqual(['Genoa'])
    psp.of('Milan')
    expect(await anchors()).toEqual(['Genoa'])
    psp.of('Milan').launch({ hostData: HOST_DATA })
    expect(await anchors()).toEqual(['Genoa', 'Milan'])
    const [genoa, milan] = await psp.trustAnchors()
    expect(genoa!.arkSpkiSha256).toBe(await psp.arkSpkiSha256())
    expect(milan!.arkSpkiSha256).toBe(await psp.of('Milan').arkSpkiSha256())
  })
})

describe('a report of version', () => {
  it('2 has neither CPUID nor mitigations, and the firmware of its time', async () => {
    const { report, bytes } = await reportOf({ reportVersion: 2 })
    expect(report).toMatchObject({ version: 2, platformInfo: 1n, current: { major: 1, minor: 52, build: 4 } })
    expect(report).not.toHaveProperty('cpuidFamily')
    expect(bytes.subarray(0x188, 0x1a0)).toEqual(new Uint8Array(24))
    expect(bytes.subarray(0x1f8, 0x2a0)).toEqual(new Uint8Array(168))
  })

  it('3 has CPUID and no mitigations', async () => {
    const { report, bytes } = await reportOf({ reportVersion: 3 })
    expect(report.cpuidFamily).toBe(0x19)
    expect(bytes.subarray(0x1f8, 0x2a0)).toEqual(new Uint8Array(168))
  })

  it('5 has the mitigations of the launch and of now', async () => {
    const { report } = await reportOf({ reportVersion: 5, mitigationVector: 0x1fn })
    expect(report).toMatchObject({ version: 5, launchMitVector: 0x1fn, currentMitVector: 0x1fn })
    expect(report.current).toEqual({ major: 1, minor: 55, build: 65 })
  })
})

describe('a host with a VLEK', () => {
  const options = { signing: 'vlek', cspId: 'CN=cloud.example' } as const

  it('signs with it unless asked otherwise, and hides its chip', async () => {
    const { psp, bytes, report } = await reportOf(options)
    expect(report.keyInfo).toBe(4)
    expect(signingKeyOf(report)).toBe('VLEK')
    expect(report.chipId).toEqual(new Uint8Array(64))
    const { vcekCert, certificateChain } = await psp.thim()
    expect(verifies(bytes, vcekCert)).toBe(true)
    expect(new X509Certificate(vcekCert).subject).toContain('CN=SEV-VLEK')
    expect(new X509Certificate(certificateChain).subject).toContain('CN=SEV-VLEK-Milan')
  })

  it('signs with the VCEK where the guest asks for that', async () => {
    const { psp, bytes, report } = await reportOf({ ...options, maskChipId: false }, 1)
    expect(signingKeyOf(report)).toBe('VCEK')
    const vcek = await psp.vcek(encodeHex(report.chipId), decodeTcb(report.reportedTcb, 'Milan'))
    expect(verifies(bytes, vcek!)).toBe(true)
    expect(verifies(bytes, (await psp.thim()).vcekCert)).toBe(false)
  })

  it('has the VLEK certificate renewed before its year is over', async () => {
    const world = createTestContext()
    const psp = createProcessor(world.ctx, options)
    const read = async () => new X509Certificate((await psp.thim()).vcekCert)
    const before = await read()
    await world.clock.advance(300 * 24 * 3600 * 1000)
    const after = await read()
    expect(after.validFromDate > before.validFromDate).toBe(true)
    expect(after.validToDate.getTime()).toBeGreaterThan(world.clock.now())
    expect(after.publicKey.equals(before.publicKey)).toBe(true)
  })

  it('gives it to each of its chips', async () => {
    const vlek = async (product: SnpProduct) =>
      new X509Certificate((await processorOf({ ...options, product }).thim()).vcekCert)
    expect((await vlek('Genoa')).issuer).toContain('CN=SEV-VLEK-Genoa')
    expect((await vlek('Turin')).issuer).toContain('CN=SEV-VLEK-Turin')
  })
})

describe('a host that hides', () => {
  it('its chip id has zeros there and nothing else changed', async () => {
    const { psp, bytes, report } = await reportOf({ maskChipId: true })
    expect(report.chipId).toEqual(new Uint8Array(64))
    expect(report.keyInfo).toBe(0)
    expect(verifies(bytes, (await psp.thim()).vcekCert)).toBe(true)
  })

  it('its chip key signs nothing, and says so', async () => {
    const { bytes, report } = await reportOf({ maskChipKey: true })
    expect(report.keyInfo).toBe(0b11110)
    expect(signingKeyOf(report)).toBe('none')
    expect(bytes.subarray(REPORT_SIGNED_SIZE)).toEqual(new Uint8Array(512))
    expect(report.chipId).not.toEqual(new Uint8Array(64))
  })

  it('its chip key signs with a VLEK all the same', async () => {
    const { psp, bytes, report } = await reportOf({ maskChipKey: true, signing: 'vlek' })
    expect(report.keyInfo).toBe(0b110)
    expect(verifies(bytes, (await psp.thim()).vcekCert)).toBe(true)
  })
})

describe('the report that the host asks for', () => {
  it('says so with its VMPL, and is signed', async () => {
    const psp = processorOf()
    const guest = psp.launch({ hostData: HOST_DATA })
    const bytes = await psp.hostReport(guest)
    expect(decodeReport(bytes)).toMatchObject({
      vmpl: 0xffff_ffff,
      hostData: HOST_DATA,
      reportData: new Uint8Array(64),
    })
    expect(verifies(bytes, (await psp.thim()).vcekCert)).toBe(true)
    await expect(processorOf().hostReport(guest)).rejects.toThrow('of another processor')
  })
})

describe('a TCB that is reported below the current one', () => {
  it('is what the report is signed for, and what THIM certifies', async () => {
    const { psp, bytes, report } = await reportOf({ tcb: { microcode: 0xd9 }, currentTcb: { microcode: 0xdc } })
    expect(encodeHex(report.reportedTcb)).toBe('04000000000018d9')
    expect(encodeHex(report.committedTcb)).toBe('04000000000018d9')
    expect(encodeHex(report.currentTcb)).toBe('04000000000018dc')
    const { vcekCert, tcbm } = await psp.thim()
    expect(tcbm).toBe('D918000000000004')
    expect(verifies(bytes, vcekCert)).toBe(true)
  })
})

describe('an option that no processor can have', () => {
  it.each([
    [{ product: 'Rome' as ProcessorName }, /product is one of Milan, Genoa, Bergamo, Siena, Turin/],
    [{ reportVersion: 4 as 5 }, /reportVersion is one of 2, 3, 5/],
    [{ tcb: { fmc: 1 } }, /tcb: Milan has no FMC component/],
    [{ tcb: { snp: 256 } }, /tcb: snp is a byte/],
    [{ currentTcb: { microcode: 1 } }, /currentTcb is below the committed TCB/],
    [{ committedTcb: { snp: 1 } }, /committedTcb is below the reported TCB/],
    [{ cspId: 'ü' }, /cspId is 1 to 127 printable ASCII/],
    [{ platformInfo: -1n }, /platformInfo is a u64/],
  ])('%o is refused by name', (options, message) => {
    expect(() => processorOf(options)).toThrow(expect.objectContaining({ code: 'ERR_PROCESSOR_OPTION' }))
    expect(() => processorOf(options)).toThrow(message)
  })
})

describe('the certificates of an instance', () => {
  it('are the same at every start, and other ones for another TCB', async () => {
    const world = createTestContext()
    const digest = async (options?: ProcessorOptions) =>
      createHash('sha256')
        .update((await createProcessor(world.ctx, options).thim()).vcekCert)
        .digest('hex')
    expect(await digest()).toBe(await digest())
    expect(await digest({ tcb: { microcode: 1 } })).not.toBe(await digest())
  })
})
