import { decodePckExtensions, encodeSgxAttestRequest, pemToDer } from '@skerry/guest/wire'
import { describe, expect, it } from 'vitest'
import { TEST_CACHE_DIRECTORY as cacheDir, createTestContext } from '../../core/test-context.ts'
import { createEmulator, type Emulator } from '../../emulator.ts'
import { platformTcb } from './own-collateral.ts'
import { createSgxPlatform } from './platform.ts'
import { certificatesOf, createEnclaveWorld } from './test-enclave.ts'

const DAY_MS = 24 * 3600 * 1000

async function statusOf(emulator: Emulator, evidence: Uint8Array): Promise<number> {
  const url = 'https://sharedweu.weu.attest.azure.net/attest/SgxEnclave?api-version=2022-08-01'
  const body = encodeSgxAttestRequest('quote', { evidence })
  const request = new Request(url, { method: 'POST', body })
  return (await emulator.dispatcher.dispatch(request, { door: 'process' })).status
}

describe('the SGX platform of an emulator', () => {
  it('makes quotes that its attestation service believes, and another emulator’s does not', async () => {
    await using one = await createEmulator({ cacheDir })
    await using other = await createEmulator({ cacheDir })
    const quote = await one.sgx.launch().quote(new Uint8Array(64))
    expect([await statusOf(one, quote), await statusOf(other, quote)]).toEqual([200, 400])
  })

  it('is part of the state: after an import its quotes are believed', async () => {
    await using one = await createEmulator({ cacheDir })
    const quote = await one.sgx.launch().quote(new Uint8Array(64))
    await using other = await createEmulator({ cacheDir, state: await one.exportState() })
    expect(await statusOf(other, quote)).toBe(200)
    expect(await statusOf(one, await other.sgx.launch().quote(new Uint8Array(64)))).toBe(200)
  })

  it('has certificates that say its TCB, and one identity at every TCB', async () => {
    const { platform } = createEnclaveWorld()
    const extensionsAt = async (version: number) => {
      const quote = await platform.launch({ tcb: platformTcb(version) }).quote(new Uint8Array())
      return decodePckExtensions(pemToDer(certificatesOf(quote))[0]!)
    }
    const [old, current] = [await extensionsAt(11), await extensionsAt(15)]
    expect(old.tcbComponents).toEqual([11, 11, ...new Array<number>(14).fill(0)])
    expect([old.pceSvn, current.pceSvn]).toEqual([11, 15])
    expect(old.ppid).toEqual(current.ppid)
  })

  it('has collateral of the day: the same all day long, and another one tomorrow', async () => {
    const { ctx, clock } = createTestContext()
    const platform = createSgxPlatform(ctx)
    const today = await platform.collateral(12)
    await clock.advance(DAY_MS / 2)
    expect(await platform.collateral(12)).toEqual(today)
    await clock.advance(DAY_MS)
    expect((await platform.collateral(12)).tcbInfo).not.toBe(today.tcbInfo)
  })

  it('stays believed through the months, as its collateral is made anew', async () => {
    const world = createEnclaveWorld()
    const quote = await world.quote()
    await world.world.clock.advance(400 * DAY_MS)
    expect(await world.unmet({ quote })).toEqual([])
  })

  it('refuses report data of more than 64 bytes, and fields of other sizes', async () => {
    const { platform } = createEnclaveWorld()
    await expect(platform.launch().quote(new Uint8Array(65))).rejects.toThrow(RangeError)
    await expect(platform.launch({ mrEnclave: new Uint8Array(31) }).quote(new Uint8Array())).rejects.toThrow(
      /mrEnclave/,
    )
    await expect(platform.launch({ svn: 0x1_0000 }).quote(new Uint8Array())).rejects.toThrow(/isvSvn/)
  })
})
