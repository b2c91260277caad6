import { describe, expect, it } from 'vitest'
import { AMD_ROOTS, evidenceTrust, MICROSOFT_UVM_ENDORSER, type TrustedProcessor } from './trust.ts'

const ANCHOR = { product: 'Milan', arkSpkiSha256: 'aa'.repeat(32) } as const
const OWN = { issuer: 'did:x509:0:sha256:AAAA::eku:1.2.3', feed: 'ContainerPlat-AMD-UVM' }
const psp: TrustedProcessor = {
  trustAnchors: async () => [ANCHOR],
  uvm: { issuer: async () => OWN.issuer, feed: OWN.feed },
}
const nobody: TrustedProcessor = {
  trustAnchors: () => Promise.reject(new Error('not believed, so not asked')),
  uvm: { issuer: () => Promise.reject(new Error('not believed, so not asked')), feed: '' },
}

describe('the trust of a provider', () => {
  it('is by default in the emulator’s own processors and endorser', async () => {
    expect(await evidenceTrust({ trust: 'emulator', endorsers: [] }, psp)).toEqual({ roots: [ANCHOR], uvm: [OWN] })
  })

  it('can be in AMD and the endorsers that are named, and then in nothing of the emulator', async () => {
    const endorsers = [MICROSOFT_UVM_ENDORSER]
    expect(await evidenceTrust({ trust: 'amd', endorsers }, nobody)).toEqual({ roots: AMD_ROOTS, uvm: endorsers })
  })

  it('can be in both', async () => {
    const trust = await evidenceTrust({ trust: 'both', endorsers: [MICROSOFT_UVM_ENDORSER] }, psp)
    expect(trust).toEqual({ roots: [ANCHOR, ...AMD_ROOTS], uvm: [OWN, MICROSOFT_UVM_ENDORSER] })
  })

  it('has one root of AMD’s for each product', () => {
    expect(AMD_ROOTS.map(({ product }) => product)).toEqual(['Milan', 'Genoa', 'Turin'])
    for (const { arkSpkiSha256 } of AMD_ROOTS) expect(arkSpkiSha256).toMatch(/^[0-9a-f]{64}$/)
  })
})
