import { execFileSync } from 'node:child_process'
import { createHash, verify, X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  CERTIFICATE_GUIDS,
  decodeCertificateTable,
  decodeGuestPolicy,
  decodeReport,
  decodeReportResponse,
  decodeTcb,
  decodeVcekExtensions,
  encodeReportRequest,
  pemToDer,
  REPORT_SIGNED_SIZE,
  reportSignature,
  tcbFromHex,
} from '@skerry/guest/wire'
import { beforeAll, describe, expect, it } from 'vitest'
import { createTestContext } from '../core/test-context.ts'
import { createProcessor } from './index.ts'
import type { VirtualProcessor } from './types.ts'

const HOST_DATA = new Uint8Array(createHash('sha256').update('package policy').digest())
const REPORT_DATA = Uint8Array.from({ length: 64 }, (_, at) => at)

const world = createTestContext()
const psp = createProcessor(world.ctx)

async function reportOf(processor: VirtualProcessor, options: { debug?: boolean } = {}) {
  const guest = processor.launch({ hostData: HOST_DATA, ...options })
  const response = await guest.reportRequest(encodeReportRequest({ reportData: REPORT_DATA, vmpl: 0 }))
  return decodeReportResponse(response).report
}

/** As a stranger would: R and S cut out of the report and turned around by hand, no code shared with the signer. */
function verifiesIndependently(report: Uint8Array, vcek: X509Certificate): boolean {
  const scalar = (offset: number) => Buffer.from(report.subarray(offset, offset + 48)).reverse()
  const p1363 = Buffer.concat([scalar(0x2a0), scalar(0x2a0 + 72)])
  return verify('sha384', report.subarray(0, 0x2a0), { key: vcek.publicKey, dsaEncoding: 'ieee-p1363' }, p1363)
}

describe('a report of the virtual processor', () => {
  let bytes: Uint8Array
  let vcek: X509Certificate
  beforeAll(async () => {
    bytes = await reportOf(psp)
    vcek = new X509Certificate((await psp.thim()).vcekCert)
  })

  it('is 1184 bytes of version 3 from a Milan', () => {
    const report = decodeReport(bytes)
    expect(bytes).toHaveLength(1184)
    expect(report).toMatchObject({ version: 3, cpuidFamily: 0x19, cpuidModel: 1, cpuidStepping: 1, signatureAlgo: 1 })
  })

  it('carries what the guest asked and what the host set', () => {
    const report = decodeReport(bytes)
    expect(report.reportData).toEqual(REPORT_DATA)
    expect(report.hostData).toEqual(HOST_DATA)
    expect(report.measurement).toEqual(psp.uvm.launchMeasurement)
  })

  it('is not debuggable and has the guest policy of Azure', () => {
    expect(decodeReport(bytes).policy).toBe(0x3001fn)
  })

  it('verifies with the VCEK that THIM hands out', () => {
    expect(verifiesIndependently(bytes, vcek)).toBe(true)
  })

  it('stops verifying when one signed byte changes', () => {
    const changed = bytes.slice()
    changed[0x0c0]! ^= 1
    expect(verifiesIndependently(changed, vcek)).toBe(false)
  })

  it('verifies through the shared codec as well', () => {
    const options = { key: vcek.publicKey, dsaEncoding: 'ieee-p1363' } as const
    expect(verify('sha384', bytes.subarray(0, REPORT_SIGNED_SIZE), options, reportSignature(bytes))).toBe(true)
  })

  it('states the chip and the TCB that the certificate is bound to, level by level', () => {
    const report = decodeReport(bytes)
    const extensions = decodeVcekExtensions(new Uint8Array(vcek.raw))
    expect(extensions.hwid).toEqual(report.chipId)
    expect(extensions.tcb).toEqual(decodeTcb(report.reportedTcb, 'Milan'))
    expect(extensions.tcb.microcode).toBeGreaterThan(127)
  })

  it('states the TCB that THIM names', async () => {
    const { tcbm } = await psp.thim()
    expect(tcbm).toMatch(/^[0-9A-F]{16}$/)
    expect(tcbFromHex(tcbm)).toEqual(decodeReport(bytes).reportedTcb)
  })

  it('sets the debug bit for a guest that is launched debuggable', async () => {
    const { policy } = decodeReport(await reportOf(psp, { debug: true }))
    expect(decodeGuestPolicy(policy)).toMatchObject({ debugAllowed: true, smtAllowed: true, abiMinor: 31 })
  })

  it('is told in the journal without its report data', async () => {
    await reportOf(psp)
    const record = world.ctx.journal.records().at(-1)
    expect(record).toMatchObject({ service: 'psp', operation: 'report', outcome: 'done' })
    expect(JSON.stringify(record)).not.toContain(Buffer.from(REPORT_DATA).toString('hex'))
  })
})

describe('the processor', () => {
  it('refuses host data that is not 32 bytes', () => {
    expect(() => psp.launch({ hostData: new Uint8Array(31) })).toThrow(/hostData: 32 bytes/)
  })

  it('gives every guest a report id of its own', () => {
    const [one, two] = [psp.launch({ hostData: HOST_DATA }), psp.launch({ hostData: HOST_DATA })]
    expect(one.reportId).not.toEqual(two.reportId)
  })

  it('hands out VCEK, ASK and ARK in the certificate table of an extended report', async () => {
    const table = decodeCertificateTable(await psp.launch({ hostData: HOST_DATA }).certificateTable())
    const { vcekCert, certificateChain } = await psp.thim()
    expect(table.map((entry) => entry.guid)).toEqual([
      CERTIFICATE_GUIDS.vcek,
      CERTIFICATE_GUIDS.ask,
      CERTIFICATE_GUIDS.ark,
    ])
    expect(table.map((entry) => entry.data)).toEqual(pemToDer(vcekCert + certificateChain))
  })

  it('keeps chip, root and certificates when it is made again from the same keys', async () => {
    const again = createProcessor(world.ctx)
    expect(await again.thim()).toEqual(await psp.thim())
    expect(await again.arkSpkiSha256()).toBe(await psp.arkSpkiSha256())
  })
})

describe('the fault "debug"', () => {
  it('launches every guest debuggable, whatever was asked', async () => {
    const faulty = createProcessor(createTestContext({ faults: { tamper: 'debug' } }).ctx)
    expect(decodeReport(await reportOf(faulty)).policy).toBe(0xb001fn)
  })
})

describe('the fault "tcb"', () => {
  const faulty = createProcessor(createTestContext({ faults: { tamper: 'tcb' } }).ctx)

  it('makes reports and THIM disagree, however often both are asked again', async () => {
    const { tcbm } = await faulty.thim()
    const report = decodeReport(await reportOf(faulty))
    expect(report.reportedTcb).not.toEqual(tcbFromHex(tcbm))
    expect((await faulty.thim()).tcbm).toBe(tcbm)
  })

  it('has no certificate for the TCB that reports state', async () => {
    const report = decodeReport(await reportOf(faulty))
    const chipId = Buffer.from(report.chipId).toString('hex')
    expect(await faulty.vcek(chipId, decodeTcb(report.reportedTcb, 'Milan'))).toBeUndefined()
  })

  it('signs with a key that the certificate of THIM does not hold', async () => {
    const vcek = new X509Certificate((await faulty.thim()).vcekCert)
    expect(verifiesIndependently(await reportOf(faulty), vcek)).toBe(false)
  })
})

describe('openssl', () => {
  it('accepts the chain VCEK, ASK, ARK', async (ctx) => {
    const directory = mkdtempSync(join(tmpdir(), 'skerry-psp-'))
    try {
      const { vcekCert, certificateChain } = await psp.thim()
      const [ask, ark] = certificateChain.split(/(?<=-----END CERTIFICATE-----\n)/)
      const files = { vcek: vcekCert, ask: ask!, ark: ark! }
      for (const [name, pem] of Object.entries(files)) writeFileSync(join(directory, name), pem)
      const at = String(Math.floor(world.clock.now() / 1000))
      const args = ['verify', '-attime', at, '-CAfile', 'ark', '-untrusted', 'ask', 'vcek']
      expect(execFileSync('openssl', args, { cwd: directory, encoding: 'utf8' })).toContain('vcek: OK')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      ctx.skip('there is no openssl program on this machine')
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})
