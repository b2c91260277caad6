import {
  CERTIFICATE_GUIDS,
  decodeCertificateTable,
  decodeKeyResponse,
  decodeReport,
  decodeReportResponse,
  encodeKeyRequest,
  encodeReportRequest,
  tcbFromHex,
} from '@skerry/guest/wire'
import { describe, expect, it } from 'vitest'
import type { ProcessorFaults } from '../core/index.ts'
import { createTestContext } from '../core/test-context.ts'
import { createProcessor, FirmwareError, type ProcessorOptions, type VirtualGuest } from './index.ts'

const HOST_DATA = new Uint8Array(32).fill(7)
const REPORT = encodeReportRequest({ reportData: new Uint8Array(64), vmpl: 0 })
const KEY = encodeKeyRequest({ rootKeySelect: 0, guestFieldSelect: 0n, vmpl: 0 })

function processorWith(processor: ProcessorFaults, options: ProcessorOptions = {}) {
  const world = createTestContext({ faults: { tamper: 'none', processor } })
  const psp = createProcessor(world.ctx, options)
  return { world, psp, guest: psp.launch({ hostData: HOST_DATA }) }
}

/** Of each request in turn: `ok`, or the failure. */
async function outcomes(guest: VirtualGuest, ...requests: readonly ('report' | 'key')[]) {
  const found: string[] = []
  for (const kind of requests) {
    const answer = kind === 'key' ? guest.keyRequest(KEY) : guest.reportRequest(REPORT)
    found.push(
      await answer.then(
        () => 'ok',
        (error: { failure: string; status: number }) => `${error.failure} ${error.status}`,
      ),
    )
  }
  return found
}

const reported = async (guest: VirtualGuest) =>
  decodeReport(decodeReportResponse(await guest.reportRequest(REPORT)).report)

describe('a fault plan', () => {
  it('has the n-th request fail, and so many from there on', async () => {
    const { guest } = processorWith({ requests: [{ at: 2, count: 2, failure: 'firmware', status: 23 }] })
    expect(await outcomes(guest, 'report', 'key', 'report', 'report')).toEqual([
      'ok',
      'firmware 23',
      'firmware 23',
      'ok',
    ])
  })

  it('counts the requests of one kind where it names one', async () => {
    const { guest } = processorWith({ requests: [{ at: 2, kind: 'key', failure: 'vmm' }] })
    expect(await outcomes(guest, 'report', 'report', 'key', 'key', 'key')).toEqual(['ok', 'ok', 'ok', 'vmm 1', 'ok'])
  })

  it.each([
    ['firmware', 'firmware 19'],
    ['vmm', 'vmm 1'],
    ['busy', 'busy 0'],
    ['response', 'response 0'],
    ['sequence', 'sequence 0'],
    ['again', 'again 0'],
  ] as const)('knows the failure %s', async (failure, outcome) => {
    const { guest } = processorWith({ requests: [{ at: 1, failure }] })
    expect(await outcomes(guest, 'report', 'report')).toEqual([outcome, 'ok'])
  })

  it('throws a FirmwareError for the firmware', async () => {
    const { guest } = processorWith({ requests: [{ at: 1, failure: 'firmware', status: 3 }] })
    await expect(guest.reportRequest(REPORT)).rejects.toBeInstanceOf(FirmwareError)
  })

  it('counts each guest for itself', async () => {
    const { psp, guest } = processorWith({ requests: [{ at: 1, failure: 'busy' }] })
    await outcomes(guest, 'report')
    expect(await outcomes(psp.launch({ hostData: HOST_DATA }), 'report')).toEqual(['busy 0'])
  })

  it('can be replaced in mid-run, for sibling processors too', async () => {
    const { psp, guest } = processorWith({})
    psp.setFaults({ requests: [{ at: 1, failure: 'again' }] })
    expect(await outcomes(psp.of('Genoa').launch({ hostData: HOST_DATA }), 'report')).toEqual(['again 0'])
    psp.setFaults({})
    expect(await outcomes(guest, 'report')).toEqual(['ok'])
  })
})

describe('a TCB roll in mid-run', () => {
  it.each([
    ['fresh', 'DC18000000000004'],
    ['stale', 'DB18000000000004'],
    ['missing', 'DB18000000000004'],
  ] as const)(
    'with %s certificates shows in the next report, and THIM has those for %s',
    async (certificates, tcbm) => {
      const { psp, guest } = processorWith({})
      const before = await reported(guest)
      psp.rollTcb({ microcode: 0xdc }, { certificates })
      const after = await reported(guest)
      expect([before.reportedTcb[7], after.reportedTcb[7]]).toEqual([0xdb, 0xdc])
      expect(after.currentTcb).toEqual(after.reportedTcb)
      expect(after.launchTcb).toEqual(before.reportedTcb)
      expect((await psp.thim()).tcbm).toBe(tcbm)
    },
  )

  it('comes before the n-th report of the processor where the fault plan says so', async () => {
    const { psp, guest } = processorWith({ tcbRoll: { at: 2 } })
    expect((await reported(guest)).reportedTcb[7]).toBe(0xdb)
    expect((await reported(psp.launch({ hostData: HOST_DATA }))).reportedTcb[7]).toBe(0xdc)
    expect((await reported(guest)).reportedTcb[7]).toBe(0xdc)
    expect((await psp.thim()).tcbm).toBe('DC18000000000004')
  })

  it('back leaves committed and current where they were', async () => {
    const { psp, guest } = processorWith({})
    psp.rollTcb({ snp: 20 })
    const report = await reported(guest)
    expect([report.reportedTcb[6], report.committedTcb[6], report.currentTcb[6]]).toEqual([20, 24, 24])
    expect(tcbFromHex((await psp.thim()).tcbm)).toEqual(report.reportedTcb)
  })

  it('of a Turin can be of its FMC', async () => {
    const { psp, guest } = processorWith({}, { product: 'Turin' })
    psp.rollTcb({ fmc: 2 })
    expect((await reported(guest)).reportedTcb[0]).toBe(2)
    expect((await psp.thim()).tcbm).toBe('5100000004010102')
  })

  it('is told in the journal', () => {
    const { psp, world } = processorWith({})
    psp.rollTcb({}, { certificates: 'stale' })
    expect(world.ctx.journal.records().at(-1)).toMatchObject({ operation: 'roll', details: { certificates: 'stale' } })
  })

  it('to a level that does not exist is refused and changes nothing', () => {
    const { psp } = processorWith({})
    const before = psp.tcb()
    expect(() => psp.rollTcb({ snp: 256 })).toThrow(RangeError)
    expect(() => psp.rollTcb({ fmc: 1 })).toThrow('Milan has no FMC component')
    expect(psp.tcb()).toEqual(before)
  })
})

describe('the certificate table of an extended report', () => {
  const guidsOf = async (options: ProcessorOptions, faults: ProcessorFaults = {}) => {
    const { guest } = processorWith(faults, options)
    const table = await guest.certificateTable()
    return table.length === 0 ? [] : decodeCertificateTable(table).map(({ guid }) => guid)
  }
  const { vcek, vlek, ask, ark, crl } = CERTIFICATE_GUIDS

  it.each([
    ['the chain', {}, [vcek, ask, ark]],
    ['the chain of a VLEK', { signing: 'vlek' }, [vlek, ask, ark]],
    ['the revocation list too', { certificateTable: 'chain-and-crl' }, [vcek, ask, ark, crl]],
    ['nothing, not even an end', { certificateTable: 'none' }, []],
  ] as const)('has %s', async (_, options, guids) => {
    expect(await guidsOf(options)).toEqual(guids)
  })
})

describe('requests of a guest', () => {
  it('that are refused by status are answers, and count', async () => {
    const { guest } = processorWith({ requests: [{ at: 2, failure: 'again' }] })
    expect(decodeKeyResponse(await guest.keyRequest(new Uint8Array(1))).status).toBe(0x16)
    expect(await outcomes(guest, 'key', 'key')).toEqual(['again 0', 'ok'])
  })
})
