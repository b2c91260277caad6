import { fileURLToPath } from 'node:url'
import { beforeEach, describe, expect, it } from 'vitest'
import type { ProcessorFaults } from '../../emulator/src/core/index.ts'
import { createTestContext, TEST_CACHE_DIRECTORY } from '../../emulator/src/core/test-context.ts'
import { createEmulator, type Emulator } from '../../emulator/src/emulator.ts'
import { createProcessor, type ProcessorOptions } from '../../emulator/src/psp/index.ts'
import { createRunner } from '../../emulator/src/run/index.ts'
import { needDevice } from '../support/need-device.ts'
import { run } from './run/harness.ts'

/* The virtual processor below the system call, asked by a program with the guest library: a process, a device, its errors. */

const PROGRAM = fileURLToPath(new URL('./processor/ask.ts', import.meta.url))
const runner = createRunner({ networkNamespace: false })

async function ask(
  questions: readonly ('report' | 'extended' | 'key')[],
  { faults = {}, ...options }: ProcessorOptions & { readonly faults?: ProcessorFaults } = {},
): Promise<readonly string[]> {
  const { ctx } = createTestContext({ faults: { tamper: 'none', processor: faults } })
  const guest = createProcessor(ctx, options).launch({ hostData: new Uint8Array(32).fill(7) })
  const { lines, code } = await run(runner, [process.execPath, '--conditions=skerry-source', PROGRAM, ...questions], {
    guest,
  })
  expect([code, lines]).toEqual([0, expect.any(Array)])
  return lines
}

describe('a program in a guest', () => {
  beforeEach(needDevice)

  it.each([
    ['Milan', 'version 3, TCB 04000000000018db'],
    ['Genoa', 'version 3, TCB 0a00000000001754'],
    ['Turin', 'version 5, TCB 0101010400000051'],
  ] as const)('gets report, certificates and key of a %s', async (product, report) => {
    expect(await ask(['report', 'extended', 'key'], { product })).toEqual([
      `report: ok, ${report}`,
      'extended: ok, 3 certificates',
      'key: ok, 32 bytes',
    ])
  })

  it('gets no certificates from a host that has none', async () => {
    expect(await ask(['extended'], { certificateTable: 'none' })).toEqual(['extended: ok, 0 certificates'])
  })

  it('sees the TCB move under it', async () => {
    expect(await ask(['report', 'report'], { faults: { tcbRoll: { at: 2 } } })).toEqual([
      'report: ok, version 3, TCB 04000000000018db',
      'report: ok, version 3, TCB 04000000000018dc',
    ])
  })

  it('has lost the key to the firmware after one firmware error, for every kind of request', async () => {
    const faults = { requests: [{ at: 2, failure: 'firmware', status: 3 }] } as const
    expect(await ask(['report', 'report', 'report', 'key', 'extended'], { faults })).toEqual([
      expect.stringMatching(/^report: ok/),
      'report: ERR_SNP_FIRMWARE EIO 3',
      'report: ERR_SNP_NOT_THE_DEVICE ENOTTY',
      'key: ERR_SNP_NOT_THE_DEVICE ENOTTY',
      'extended: ERR_SNP_NOT_THE_DEVICE ENOTTY',
    ])
  })

  it('tries again where the driver says so, and notices nothing', async () => {
    const faults = { requests: [{ at: 1, count: 3, failure: 'again' }] } as const
    expect(await ask(['report'], { faults })).toEqual([expect.stringMatching(/^report: ok/)])
  })

  it('asks again when it is told of too little room for certificates, and keeps the key', async () => {
    const faults = { requests: [{ at: 1, failure: 'vmm' }] } as const
    expect(await ask(['extended', 'extended'], { faults })).toEqual([
      'extended: ok, 3 certificates',
      'extended: ok, 3 certificates',
    ])
  })

  it('is refused a key by status where the host hides the chip key', async () => {
    expect(await ask(['key', 'report'], { maskChipKey: true })).toEqual([
      'key: ERR_SNP_INVALID_KEY 39',
      'report: ok, version 3, TCB 04000000000018db',
    ])
  })
})

describe('an emulator', () => {
  const cacheDir = TEST_CACHE_DIRECTORY
  const certification = (emulator: Emulator) =>
    emulator.dispatcher.dispatch(
      new Request('http://169.254.169.254/metadata/THIM/amd/certification', { headers: { Metadata: 'true' } }),
      { door: 'process' },
    )

  it('has the processor and the faults that it was made with', async () => {
    const processor = { thim: { at: 1, retryAfterSeconds: 1 } }
    await using emulator = await createEmulator({
      cacheDir,
      processor: { product: 'Turin', tcb: { fmc: 3 } },
      faults: { tamper: 'none', processor },
    })
    expect(emulator.psp.settings.name).toBe('Turin')
    expect((await certification(emulator)).status).toBe(429)
    expect(await (await certification(emulator)).json()).toMatchObject({ tcbm: '5100000004010103' })
  })

  it('says which option no processor can have', async () => {
    const made = createEmulator({ cacheDir, processor: { product: 'Milan', tcb: { fmc: 3 } } })
    await expect(made).rejects.toMatchObject({
      code: 'ERR_PROCESSOR_OPTION',
      message: 'tcb: Milan has no FMC component',
    })
  })
})
