import { decodeKeyResponse, decodeReport, decodeReportResponse } from '@skerry/guest/wire'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createTestContext } from '../core/test-context.ts'
import { createKdsService } from '../kds/index.ts'
import { createProcessor } from './index.ts'

/** What holds of every message that a guest can send, and of every path that a client can ask for. */

const STATUSES = [0, 0x16, 0x27]
const HOST_DATA = new Uint8Array(32)
const SETUPS = [
  {},
  { product: 'Turin', firmware: { major: 1, minor: 58, build: 1 } },
  { signing: 'vlek' },
  { maskChipKey: true },
] as const

/** Messages with little in them, since one reserved bit is enough to be refused. */
const message = (size: number) =>
  fc
    .tuple(
      fc.uint8Array({ maxLength: 64 }),
      fc.nat(4),
      fc.array(fc.tuple(fc.nat(size - 1), fc.nat(255)), { maxLength: 3 }),
    )
    .map(([start, vmpl, changes]) => {
      const bytes = new Uint8Array(size)
      bytes.set(start.subarray(0, size > 64 ? 64 : 0))
      // Where each kind of message has its VMPL.
      bytes[size > 64 ? 0x40 : 0x10] = vmpl
      for (const [at, value] of changes) bytes[at] = value
      return bytes
    })
const requests = fc.oneof(message(96), message(32), message(40), fc.uint8Array({ maxLength: 200 }))

describe.each(SETUPS)('a processor like %o', (options) => {
  const guest = createProcessor(createTestContext().ctx, options).launch({ hostData: HOST_DATA, vmpl: 1 })

  it('answers each report request whole: with a report, or with a status and zeros', async () => {
    await fc.assert(
      fc.asyncProperty(requests, async (request) => {
        const answer = await guest.reportRequest(request)
        expect(answer).toHaveLength(1216)
        const { status, report } = decodeReportResponse(answer)
        expect(STATUSES).toContain(status)
        if (status !== 0) expect(report.every((byte) => byte === 0)).toBe(true)
        else expect(decodeReport(report).reportData).toEqual(request.slice(0, 64))
      }),
    )
  })

  it('answers each key request whole: with a key, or with a status and zeros', async () => {
    await fc.assert(
      fc.asyncProperty(requests, async (request) => {
        const answer = await guest.keyRequest(request)
        expect(answer).toHaveLength(64)
        const { status, key } = decodeKeyResponse(answer)
        expect(STATUSES).toContain(status)
        expect(key.every((byte) => byte === 0)).toBe(status !== 0)
      }),
    )
  })
})

describe('the certificate services', () => {
  const world = createTestContext()
  world.use(createKdsService(world.ctx, { psp: createProcessor(world.ctx) }))
  const part = fc.oneof(
    fc.constantFrom('vcek', 'vlek', 'v1', 'Milan', 'cert', 'SevSnpVM', 'certificates', 'ab'.repeat(64), '0', '..'),
    fc.string({ maxLength: 20 }).map(encodeURIComponentSafely),
  )
  const query = fc.dictionary(fc.constantFrom('blSPL', 'teeSPL', 'snpSPL', 'ucodeSPL', 'fmcSPL', 'x'), fc.string())

  it.each(['https://kdsintf.amd.com', 'https://global.acccache.azure.net'])(
    '%s refuses whatever path it does not know with 400, 403 or 404',
    async (origin) => {
      await fc.assert(
        fc.asyncProperty(fc.array(part, { maxLength: 5 }), query, async (parts, parameters) => {
          const url = `${origin}/${parts.join('/')}?${new URLSearchParams(parameters)}`
          expect([200, 400, 403, 404]).toContain((await world.fetch(url)).status)
        }),
      )
    },
  )
})

/** Lone surrogates have no UTF-8, and so are in no URL. */
function encodeURIComponentSafely(text: string): string {
  return encodeURIComponent(text.toWellFormed())
}
