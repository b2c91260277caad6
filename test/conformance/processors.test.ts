import { createHash } from 'node:crypto'
import {
  certificateChainPem,
  decodeReport,
  decodeReportResponse,
  derToPem,
  encodeReportRequest,
  encodeSnpAttestRequest,
  encodeUtf8,
  type SnpProduct,
  type ThimCertification,
} from '@skerry/guest/wire'
import { decodeJwt } from 'jose'
import { describe, expect, it } from 'vitest'
import { createTestContext } from '../../emulator/src/core/test-context.ts'
import { createMaaService } from '../../emulator/src/maa/index.ts'
import {
  createProcessor,
  type LaunchOptions,
  type ProcessorOptions,
  type VirtualGuest,
  type VirtualProcessor,
} from '../../emulator/src/psp/index.ts'
import { mismatch } from '../../guest/src/attest/certificates.ts'

/* Every processor that the emulator can be, before the emulated attestation service and before the guest's own check. */

const URL_OF_PROVIDER = 'https://sharedweu.weu.attest.azure.net/attest/SevSnpVm?api-version=2022-08-01'
const HOST_DATA = new Uint8Array(createHash('sha256').update('a CCE policy').digest())
const RUNTIME_DATA = encodeUtf8('{"keys":[]}')
const REPORT_DATA = Uint8Array.of(...createHash('sha256').update(RUNTIME_DATA).digest(), ...new Uint8Array(32))

function createWorld(options: ProcessorOptions = {}) {
  const world = createTestContext()
  const psp = createProcessor(world.ctx, options)
  world.use(createMaaService(world.ctx, { psp }))
  const attest = async (report: Uint8Array, certification: ThimCertification) => {
    const body = encodeSnpAttestRequest({
      report,
      certificateChainPem: certificateChainPem(certification),
      uvmEndorsements: [await psp.uvm.endorsement()],
      runtimeData: { data: RUNTIME_DATA, dataType: 'JSON' },
    })
    const response = await world.fetch(new Request(URL_OF_PROVIDER, { method: 'POST', body }))
    const { token } = (await response.json()) as { token?: string }
    return { status: response.status, claims: token === undefined ? {} : (decodeJwt(token) as Record<string, unknown>) }
  }
  /** What the service's journal says was not as it should be. */
  const unmet = () =>
    (world.ctx.journal.records().findLast(({ service }) => service === 'maa')?.conditions ?? [])
      .filter(({ met }) => !met)
      .map(({ name }) => name)
  return { psp, attest, unmet }
}

async function reportOf(guest: VirtualGuest, vmpl = 0) {
  const answer = await guest.reportRequest(encodeReportRequest({ reportData: REPORT_DATA, vmpl }))
  return decodeReportResponse(answer).report
}
const launched = (psp: VirtualProcessor, options: Partial<LaunchOptions> = {}) =>
  psp.launch({ hostData: HOST_DATA, ...options })

const PROCESSORS: readonly ProcessorOptions[] = [
  ...(['Milan', 'Genoa', 'Bergamo', 'Siena', 'Turin'] as const).map((product) => ({ product })),
  ...(['Milan', 'Genoa', 'Turin'] as const).map((product) => ({ product, signing: 'vlek' as const })),
  ...([2, 3, 5] as const).flatMap((reportVersion) =>
    (['Milan', 'Genoa', 'Turin'] as const).map((product) => ({ product, reportVersion })),
  ),
  { product: 'Turin', maskChipId: true },
  { maskChipKey: true, signing: 'vlek' },
  { tcb: { microcode: 0xd9 }, currentTcb: { microcode: 0xdc } },
  { tcb: { bootLoader: 255, tee: 128, snp: 127, microcode: 255 } },
]

describe.each(PROCESSORS)('the processor %o', (options) => {
  it('is attested, with the levels of its reported TCB as claims', async () => {
    const { psp, attest, unmet } = createWorld(options)
    const { status, claims } = await attest(await reportOf(launched(psp)), await psp.thim())
    expect(unmet()).toEqual([])
    expect(status).toBe(200)
    const { reported } = psp.tcb()
    expect(claims).toMatchObject({
      'x-ms-sevsnpvm-bootloader-svn': reported.bootLoader,
      'x-ms-sevsnpvm-tee-svn': reported.tee,
      'x-ms-sevsnpvm-snpfw-svn': reported.snp,
      'x-ms-sevsnpvm-microcode-svn': reported.microcode,
      'x-ms-compliance-status': 'azure-compliant-uvm',
    })
  })

  it('has certificates that its guests find to be those of the report', async () => {
    const { psp } = createWorld(options)
    const report = decodeReport(await reportOf(launched(psp)))
    expect(mismatch(report, await psp.thim())).toBeUndefined()
    psp.rollTcb(undefined, { certificates: 'stale' })
    expect(mismatch(decodeReport(await reportOf(launched(psp))), await psp.thim())).toMatch(/^the report says TCB/)
  })
})

describe('an attestation is refused', () => {
  it('of an unsigned report', async () => {
    const { psp, attest, unmet } = createWorld({ maskChipKey: true })
    expect((await attest(await reportOf(launched(psp)), await psp.thim())).status).toBe(400)
    expect(unmet()).toContain('report.signingKey')
  })

  it('of a report that the host asked for, which can hold no data of a guest', async () => {
    const { psp, attest, unmet } = createWorld()
    expect((await attest(await psp.hostReport(launched(psp)), await psp.thim())).status).toBe(400)
    expect(unmet()).toContain('report.reportData')
  })

  it.each([
    ['certificates of another product', 'Milan', 'Genoa', ['report.product', 'report.signature']],
    ['certificates of a Turin for a Milan', 'Milan', 'Turin', ['report.product', 'report.signature']],
    ['certificates of a Milan for a Turin', 'Turin', 'Milan', ['report.product', 'report.signature']],
  ] as const satisfies readonly (readonly [string, SnpProduct, SnpProduct, readonly string[]])[])(
    'with %s',
    async (_, product, other, names) => {
      const { psp, attest, unmet } = createWorld({ product })
      const { status } = await attest(await reportOf(launched(psp)), await psp.of(other).thim())
      expect(status).toBe(400)
      expect(unmet()).toEqual(expect.arrayContaining([...names]))
    },
  )

  it('with the VCEK in a chain of the VLEK', async () => {
    const { psp, attest, unmet } = createWorld()
    const certification = await psp.thim()
    const certificateChain = await psp.certificateChainPem('vlek')
    const { status } = await attest(await reportOf(launched(psp)), { ...certification, certificateChain })
    expect(status).toBe(400)
    expect(unmet()).toContain('certificates.names')
  })

  it('with the VLEK for a report that the VCEK signed', async () => {
    const { psp, attest, unmet } = createWorld({ maskChipId: true })
    const vlek = await psp.vlek(psp.tcb().reported)
    const certification = {
      ...(await psp.thim()),
      vcekCert: derToPem(vlek!),
      certificateChain: await psp.certificateChainPem('vlek'),
    }
    const { status } = await attest(await reportOf(launched(psp)), certification)
    expect(status).toBe(400)
    expect(unmet()).toEqual(expect.arrayContaining(['report.signingKey', 'report.signature']))
  })

  it.each(['stale', 'missing'] as const)('after a TCB roll whose certificates are %s', async (certificates) => {
    const { psp, attest, unmet } = createWorld({ product: 'Turin' })
    const guest = launched(psp)
    expect((await attest(await reportOf(guest), await psp.thim())).status).toBe(200)
    psp.rollTcb({ fmc: 2 }, { certificates })
    expect((await attest(await reportOf(guest), await psp.thim())).status).toBe(400)
    expect(unmet()).toEqual(expect.arrayContaining(['report.signature', 'vcek.tcb']))
    psp.rollTcb({ fmc: 2 }, { certificates: 'fresh' })
    expect((await attest(await reportOf(guest), await psp.thim())).status).toBe(200)
  })

  it('under the root of a processor that nobody has used here', async () => {
    const stranger = createProcessor(createTestContext().ctx, { product: 'Genoa' })
    const { psp, attest, unmet } = createWorld()
    expect(psp.product).toBe('Milan')
    const { status } = await attest(await reportOf(launched(stranger)), await stranger.thim())
    expect(status).toBe(400)
    expect(unmet()).toEqual(['certificates.ark'])
  })
})
