import {
  decodeKeyResponse,
  decodeReport,
  decodeReportResponse,
  encodeKeyRequest,
  encodeReportRequest,
  GUEST_FIELD,
  type KeyRequest,
  tcbFromHex,
} from '@skerry/guest/wire'
import { describe, expect, it } from 'vitest'
import { createTestContext } from '../core/test-context.ts'
import { createProcessor } from './index.ts'

const world = createTestContext()
const psp = createProcessor(world.ctx)
const HOST_DATA = new Uint8Array(32).fill(7)
const REPORT_DATA = new Uint8Array(64).fill(1)
const guest = psp.launch({ hostData: HOST_DATA })

async function reportStatus(change: (request: Uint8Array) => void, vmpl?: 0 | 1 | 2 | 3) {
  const request = encodeReportRequest({ reportData: REPORT_DATA, vmpl: 1 })
  change(request)
  const asked = vmpl === undefined ? guest : psp.launch({ hostData: HOST_DATA, vmpl })
  return await asked.reportRequest(request)
}

describe('a report request', () => {
  it('is answered for the VMPL that it names', async () => {
    const { status, report } = decodeReportResponse(await reportStatus(() => undefined))
    expect(status).toBe(0)
    expect(decodeReport(report).vmpl).toBe(1)
  })

  it.each([
    ['a reserved bit of KEY_SEL', 0x16, 0x44, 4],
    ['a reserved byte at the end', 0x16, 0x5f, 1],
    ['the VLEK, which is not loaded', 0x27, 0x44, 2],
    ['the reserved key', 0x27, 0x44, 3],
    ['a VMPL that does not exist', 0x16, 0x40, 4],
  ])('is refused for %s', async (_, status, offset, value) => {
    const response = await reportStatus((request) => {
      request[offset] = value
    })
    expect(decodeReportResponse(response).status).toBe(status)
  })

  it('is refused for a VMPL more privileged than the one that asks', async () => {
    expect(decodeReportResponse(await reportStatus(() => undefined, 2)).status).toBe(0x16)
  })

  it('is checked for reserved bits before the key is looked at', async () => {
    const response = await reportStatus((request) => request.set([0xff], 0x44))
    expect(decodeReportResponse(response).status).toBe(0x16)
  })

  it('that is refused gets a message of full size whose report is zero', async () => {
    const response = await reportStatus((request) => request.set([2], 0x44))
    expect(response).toHaveLength(1216)
    expect(new DataView(response.buffer).getUint32(4, true)).toBe(1184)
    expect(response.subarray(0x20).every((byte) => byte === 0)).toBe(true)
  })

  it('of the wrong size is refused', async () => {
    expect(decodeReportResponse(await guest.reportRequest(new Uint8Array(95))).status).toBe(0x16)
  })
})

const keyOf = async (request: Partial<KeyRequest> = {}, asked = guest) =>
  decodeKeyResponse(
    await asked.keyRequest(encodeKeyRequest({ rootKeySelect: 0, guestFieldSelect: 0n, vmpl: 0, ...request })),
  )
const hexOf = async (...args: Parameters<typeof keyOf>) => Buffer.from((await keyOf(...args)).key).toString('hex')

describe('a derived key', () => {
  it('is the same for the same question, even to another processor object of this machine', async () => {
    const again = createProcessor(world.ctx).launch({ hostData: HOST_DATA })
    expect(await hexOf({}, again)).toBe(await hexOf())
  })

  it('depends on the host data, selected or not', async () => {
    const other = psp.launch({ hostData: new Uint8Array(32).fill(8) })
    expect(await hexOf({}, other)).not.toBe(await hexOf())
  })

  it.each([
    ['the VMPL', { vmpl: 1 }],
    ['the root key', { rootKeySelect: 1 as const }],
    ['the selected fields', { guestFieldSelect: GUEST_FIELD.measurement }],
    ['a selected SVN', { guestFieldSelect: GUEST_FIELD.guestSvn, guestSvn: 1 }],
  ])('depends on %s', async (_, request) => {
    expect(await hexOf(request)).not.toBe(await hexOf())
  })

  it('does not depend on the debug bit unless the policy is selected', async () => {
    const debuggable = psp.launch({ hostData: HOST_DATA, debug: true })
    const policy = { guestFieldSelect: GUEST_FIELD.policy }
    expect(await hexOf({}, debuggable)).toBe(await hexOf())
    expect(await hexOf(policy, debuggable)).not.toBe(await hexOf(policy))
  })

  it.each([
    ['an unknown field', 0x16, { guestFieldSelect: 1n << 7n }],
    ['a vector that this firmware does not have', 0x16, { guestFieldSelect: GUEST_FIELD.launchMitVector }],
    ['an SVN above that of the guest', 0x16, { guestFieldSelect: GUEST_FIELD.guestSvn, guestSvn: 3 }],
    [
      'a TCB above the committed one',
      0x16,
      { guestFieldSelect: GUEST_FIELD.tcbVersion, tcbVersion: tcbFromHex('DC18000000000004') },
    ],
    ['a VMPL that does not exist', 0x16, { vmpl: 4 }],
    ['the VLEK, which is not loaded', 0x27, { keySelect: 2 as const }],
  ])('is refused for %s', async (_, status, request) => {
    const response = await keyOf(request)
    expect(response.status).toBe(status)
    expect(response.key.every((byte) => byte === 0)).toBe(true)
  })

  it('looks at SVN and TCB only where they are selected', async () => {
    expect(await keyOf({ guestSvn: 99, tcbVersion: new Uint8Array(8).fill(0xff) })).toMatchObject({ status: 0 })
  })
})
