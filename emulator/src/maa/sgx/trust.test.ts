import { encodeSgxAttestRequest } from '@skerry/guest/wire'
import { describe, expect, it } from 'vitest'
import type { AttestationSettings } from '../../core/settings.ts'
import { createTestContext } from '../../core/test-context.ts'
import { createProcessor } from '../../psp/index.ts'
import { createMaaService } from '../index.ts'
import { createSgxPlatform, sgxTrust } from './index.ts'
import { INTEL_SGX_ROOT_SPKI_SHA256 } from './trust.ts'

type Trust = AttestationSettings['trust']

function createWorld(trust: Trust) {
  const world = createTestContext({ settings: { attestation: { trust, endorsers: [] } } })
  return { world, sgx: createSgxPlatform(world.ctx) }
}

/** An enclave of the instance asks its attestation service. */
async function attestOwn(trust: Trust) {
  const { world, sgx } = createWorld(trust)
  world.use(createMaaService(world.ctx, { psp: createProcessor(world.ctx), sgx }))
  const evidence = await sgx.launch().quote(new Uint8Array(64))
  const url = 'https://sharedweu.weu.attest.azure.net/attest/SgxEnclave?api-version=2022-08-01'
  const body = encodeSgxAttestRequest('quote', { evidence })
  const { status } = await world.fetch(new Request(url, { method: 'POST', body }))
  const conditions = world.ctx.journal.records().at(-1)?.conditions ?? []
  return { status, unmet: conditions.filter(({ met }) => !met).map(({ name }) => name) }
}

describe('the trust of a provider, for SGX', () => {
  it('is by default in the emulator’s own platform, with its collateral', async () => {
    const { world, sgx } = createWorld('emulator')
    const { roots } = await sgxTrust(world.ctx.settings.attestation, sgx)
    expect(roots).toEqual([{ spkiSha256: await sgx.rootSpkiSha256(), collateral: expect.any(Function) }])
    expect(await attestOwn('emulator')).toEqual({ status: 200, unmet: [] })
  })

  it('is in Intel’s root alone where the makers of processors are believed: its own quotes are refused', async () => {
    const { world, sgx } = createWorld('amd')
    const { roots } = await sgxTrust(world.ctx.settings.attestation, sgx)
    expect(roots).toEqual([{ spkiSha256: INTEL_SGX_ROOT_SPKI_SHA256 }])
    expect(await attestOwn('amd')).toEqual({ status: 400, unmet: ['certificates.root'] })
  })

  it('can be in both', async () => {
    const { world, sgx } = createWorld('both')
    const { roots } = await sgxTrust(world.ctx.settings.attestation, sgx)
    expect(roots.map(({ spkiSha256 }) => spkiSha256)).toEqual([await sgx.rootSpkiSha256(), INTEL_SGX_ROOT_SPKI_SHA256])
    expect(await attestOwn('both')).toEqual({ status: 200, unmet: [] })
  })
})
