import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { createTestContext } from '../../emulator/src/core/test-context.ts'
import {
  collateralDocument,
  createSgxPlatform,
  platformTcb,
  type SgxCollateral,
} from '../../emulator/src/maa/sgx/index.ts'
import { pythonEnvironment } from './python-environment.ts'
import { run } from './toolchain.ts'

/*
 * Quotes of the virtual platform, judged by a verifier that is not ours (dcap-qvl, in Rust) under the emulator's own root
 * and collateral.
 */

const HERE = join(import.meta.dirname, 'dcap-qvl')

interface Case {
  readonly quote: Uint8Array
  readonly collateral: SgxCollateral
}

const { ctx } = createTestContext()
const platform = createSgxPlatform(ctx)

async function cases(): Promise<Record<string, Case>> {
  const reportData = new Uint8Array(64).fill(7)
  const quote = await platform.launch().quote(reportData)
  const collateral = await platform.collateral(12)
  const flipped = (bytes: Uint8Array, at: number) => bytes.map((byte, index) => (index === at ? byte ^ 1 : byte))
  const behind = platform.launch({ tcb: platformTcb(11) })
  return {
    good: { quote, collateral },
    'key separation and sharing': { quote: await platform.launch({ kss: {} }).quote(reportData), collateral },
    'behind the baseline': { quote: await behind.quote(reportData), collateral },
    'an old quoting enclave': { quote: await platform.launch({ qeSvn: 7 }).quote(reportData), collateral },
    'an altered measurement': { quote: flipped(quote, 112), collateral },
    'an altered signature': { quote: flipped(quote, 436), collateral },
    'an altered report of the quoting enclave': { quote: flipped(quote, 564 + 64), collateral },
    'another attestation key': { quote: flipped(quote, 500), collateral },
    'other authentication data': { quote: flipped(quote, 1014), collateral },
    'altered TCB information': { quote, collateral: { ...collateral, tcbInfo: `${collateral.tcbInfo} ` } },
    'an altered identity': { quote, collateral: { ...collateral, qeIdentity: `${collateral.qeIdentity} ` } },
  }
}

describe('dcap-qvl, a verifier of SGX quotes by others', () => {
  let unavailable: string | undefined
  let verdicts: Readonly<Record<string, { status?: string; error?: string }>> = {}

  beforeAll(async () => {
    const prepared = await pythonEnvironment('dcap-qvl', join(HERE, 'requirements.txt'))
    if ('unavailable' in prepared) {
      unavailable = prepared.unavailable
      process.stdout.write(`dcap-qvl: skipped. ${unavailable}\n`)
      return
    }
    const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
    const quotes = Object.entries(await cases()).map(([name, { quote, collateral }]) => [
      name,
      { quote: base64(quote), collateral: collateralDocument(collateral) },
    ])
    const job = {
      root: base64(await platform.rootCertificate()),
      at: Math.floor(ctx.clock.now() / 1000),
      quotes: Object.fromEntries(quotes) as object,
    }
    const program = join(prepared.ready, 'python')
    const { stdout, stderr } = await run(program, [join(HERE, 'verify.py')], { input: JSON.stringify(job) })
    if (stdout === '') throw new Error(stderr)
    verdicts = JSON.parse(stdout) as typeof verdicts
  }, 600_000)

  it.for([
    ['good', 'UpToDate'],
    ['key separation and sharing', 'UpToDate'],
    ['behind the baseline', 'OutOfDate'],
    ['an old quoting enclave', 'OutOfDate'],
  ] as const)('finds of %s: %s', ([name, status], context) => {
    if (unavailable !== undefined) context.skip(unavailable)
    expect(verdicts[name]).toEqual({ status })
  })

  it.for([
    ['an altered measurement', /signature/i],
    ['an altered signature', /signature/i],
    ['an altered report of the quoting enclave', /signature/i],
    ['another attestation key', /hash|key/i],
    ['other authentication data', /hash/i],
    ['altered TCB information', /signature/i],
    ['an altered identity', /signature/i],
  ] as const)('refuses %s', ([name, reason], context) => {
    if (unavailable !== undefined) context.skip(unavailable)
    expect(verdicts[name]?.error).toMatch(reason)
  })
})
