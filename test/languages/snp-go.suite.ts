import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { certificateChainPem, decodeReportResponse, encodeReportRequest } from '@skerry/guest/wire'
import { beforeAll, describe, expect, it } from 'vitest'
import { createTestContext } from '../../emulator/src/core/test-context.ts'
import { createProcessor, type ProcessorOptions } from '../../emulator/src/psp/index.ts'
import { buildGo, run } from './toolchain.ts'

/*
 * Reports of the virtual processor before a verifier that has no code of ours: google/go-sev-guest, told to trust the
 * emulator's root. It checks names, profiles and dates of the certificates, their signatures, the report's signature, the
 * guest policy, report data and host data.
 */

const NOW = Date.parse('2026-06-01T00:00:00Z')
const REPORT_DATA = createHash('sha512').update('what the guest wants signed').digest()
const HOST_DATA = createHash('sha256').update('a CCE policy').digest()

interface Job {
  readonly name: string
  readonly report: string
  readonly chain: string
  readonly roots: string
  readonly product: string
  readonly productName?: string
  readonly now: number
  readonly reportData: string
  readonly hostData: string
}

/** Not Bergamo, Siena and Turin, whose models and whose order of the TCB its version 0.15 does not know. */
const KINDS: readonly (readonly [name: string, options: ProcessorOptions, productName?: string])[] = [
  ['a Milan', { product: 'Milan' }],
  ['a Milan with reports of version 2', { product: 'Milan', reportVersion: 2 }, 'Milan-B0'],
  ['a Milan with reports of version 5', { product: 'Milan', reportVersion: 5 }],
  ['a Milan with a VLEK', { product: 'Milan', signing: 'vlek' }],
  ['a Genoa', { product: 'Genoa' }],
  ['a Genoa with a VLEK', { product: 'Genoa', signing: 'vlek' }],
]

/** What a Milan's evidence is not accepted with. */
const BROKEN: readonly (readonly [name: string, change: (job: Job, other: Job) => Partial<Job>])[] = [
  ['one signed bit of the report', ({ report }) => ({ report: flipped(report, 0x90) })],
  ['one bit of its signature', ({ report }) => ({ report: flipped(report, 0x2a0) })],
  ['the report of another machine', (_, { report }) => ({ report })],
  ['the root of another machine', (_, { roots }) => ({ roots })],
  ['other report data', () => ({ reportData: Buffer.alloc(64).toString('base64') })],
  ['other host data', () => ({ hostData: Buffer.alloc(32).toString('base64') })],
  ['a date before the certificates', () => ({ now: Date.parse('2019-01-01') / 1000 })],
]

describe('google/go-sev-guest', () => {
  let unavailable: string | undefined
  let errors = new Map<string, string>()

  beforeAll(async () => {
    const prepared = await buildGo(join(import.meta.dirname, 'snp-go'), 'snp')
    if ('unavailable' in prepared) {
      unavailable = prepared.unavailable
      process.stdout.write(`google/go-sev-guest: skipped. ${unavailable}\n`)
      return
    }
    const good = await Promise.all(KINDS.map(([name, options, productName]) => jobOf(name, options, productName)))
    const other = await jobOf('another', { product: 'Genoa' })
    const broken = BROKEN.map(([name, change]) => ({ ...good[0]!, ...change(good[0]!, other), name }))
    const input = [...good, ...broken].map((job) => `${JSON.stringify(job)}\n`).join('')
    const { code, stdout, stderr } = await run(prepared.ready, [], { input, timeoutMs: 60_000 })
    if (code !== 0) throw new Error(stderr)
    const results = stdout.split('\n').filter((line) => line !== '')
    errors = new Map(
      results.map((line) => JSON.parse(line) as { name: string; error: string }).map((one) => [one.name, one.error]),
    )
  }, 600_000)

  it.for(KINDS.map(([name]) => name))('accepts the evidence of %s', (name, ctx) => {
    if (unavailable !== undefined) ctx.skip(unavailable)
    expect(errors.get(name)).toBe('')
  })

  it.for(BROKEN.map(([name]) => name))('refuses it with %s', (name, ctx) => {
    if (unavailable !== undefined) ctx.skip(unavailable)
    expect(errors.get(name)).toMatch(/./)
  })
})

async function jobOf(name: string, options: ProcessorOptions, productName?: string): Promise<Job> {
  const { ctx } = createTestContext()
  const psp = createProcessor(ctx, options)
  const guest = psp.launch({ hostData: new Uint8Array(HOST_DATA) })
  const request = encodeReportRequest({ reportData: new Uint8Array(REPORT_DATA), vmpl: 0 })
  const { report } = decodeReportResponse(await guest.reportRequest(request))
  return {
    name,
    report: Buffer.from(report).toString('base64'),
    chain: certificateChainPem(await psp.thim()),
    roots: await psp.certificateChainPem(options.signing ?? 'vcek'),
    product: psp.product,
    ...(productName !== undefined && { productName }),
    now: NOW / 1000,
    reportData: REPORT_DATA.toString('base64'),
    hostData: HOST_DATA.toString('base64'),
  }
}

function flipped(base64: string, at: number): string {
  const bytes = Buffer.from(base64, 'base64')
  bytes[at]! ^= 1
  return bytes.toString('base64')
}
