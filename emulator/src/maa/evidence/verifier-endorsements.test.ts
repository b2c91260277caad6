import { decodeUvmEndorsement, encodeUtf8 } from '@skerry/guest/wire'
import { describe, expect, it } from 'vitest'
import { createTestContext } from '../../core/test-context.ts'
import { createEvidenceMaker, type EndorsementChange, flipped, NOW } from './test-evidence.ts'
import type { EvidenceTrust } from './trust.ts'
import { createEvidenceVerifier } from './verifier.ts'

/* The utility VM is compliant only when one endorsement of the launched image is right in every respect. */

const make = await createEvidenceMaker(createTestContext().ctx.keys)
const trusting = (minimumSvn?: number): EvidenceTrust => ({
  ...make.trust,
  uvm: make.trust.uvm.map((pair) => ({ ...pair, ...(minimumSvn !== undefined && { minimumSvn }) })),
})
const verify = (uvmEndorsements: readonly Uint8Array[], trust = make.trust, atMs = NOW) =>
  createEvidenceVerifier(async () => trust).verify(make.request({ uvmEndorsements }), atMs)
const unmetOf = async (change: EndorsementChange, trust = make.trust) => {
  const { checks, verified, uvm } = await verify([make.endorsement(change)], trust)
  expect([verified, uvm]).toEqual([false, undefined])
  return checks.filter(({ met }) => !met).map(({ name }) => name)
}
const YEAR = 366 * 24 * 3600

describe.each(['json', 'hashEnvelope'] as const)('an endorsement of the form %s', (form) => {
  it('is earned: it is told when all of it is right', async () => {
    const { verified, uvm } = await verify([make.endorsement({ form })])
    expect(verified).toBe(true)
    expect(uvm).toMatchObject({ form, feed: 'ContainerPlat-AMD-UVM' })
    expect(Number(uvm?.svn)).toBe(104)
  })

  it.each([
    ['PS256', -37],
    ['PS384', -38],
    ['PS512', -39],
  ])('may be signed by %s', async (_, alg) => {
    expect((await verify([make.endorsement({ form, alg })])).uvm).toBeDefined()
  })

  it.each([
    ['RS256', -257],
    ['EdDSA', -8],
    ['HMAC', 5],
  ])('may not be signed by %s', async (_, alg) => {
    expect(await unmetOf({ form, alg })).toEqual(['uvm.alg'])
  })

  it('by an algorithm of another kind of key does not verify', async () => {
    expect(await unmetOf({ form, alg: -35 })).toEqual(['uvm.signature'])
  })

  it('names its leaf by a thumbprint, where it names it', async () => {
    expect(await unmetOf({ form, leafSha256: new Uint8Array(32) })).toEqual(['uvm.x5t'])
  })

  it('was signed while its certificates were valid', async () => {
    expect(await unmetOf({ form, signedAt: NOW / 1000 + 20 * YEAR })).toEqual(['uvm.signingTime'])
    expect(await unmetOf({ form, signedAt: NOW / 1000 - 20 * YEAR })).toEqual(['uvm.signingTime'])
  })

  it('with a signing time that no calendar has is refused', async () => {
    expect(await unmetOf({ form, signedAt: 1e300 })).toEqual(['uvm.signingTime'])
  })

  it('has the least security version, where the provider asks for one', async () => {
    expect((await verify([make.endorsement({ form, svn: 104 })], trusting(104))).verified).toBe(true)
    expect(await unmetOf({ form, svn: 103 }, trusting(104))).toEqual(['uvm.svn'])
  })

  it('is of a trusted issuer and a trusted feed, together', async () => {
    const [pair] = make.trust.uvm
    const uvm = [
      { issuer: pair!.issuer, feed: 'one' },
      { issuer: 'did:x509:0:sha256:AAAA::eku:1.2.3', feed: pair!.feed },
    ]
    expect(await unmetOf({ form }, { ...make.trust, uvm })).toEqual(['uvm.feed'])
  })

  it('carries its whole chain', async () => {
    const [leaf, issuing] = make.uvmChain
    expect(await unmetOf({ form, x5chain: [leaf!, issuing!] })).toEqual(['uvm.x5chain', 'uvm.did'])
    expect(await unmetOf({ form, x5chain: [leaf!] })).toEqual(['uvm.x5chain', 'uvm.did'])
  })

  it('carries nothing but its chain', async () => {
    const [leaf, issuing, root] = make.uvmChain
    expect(await unmetOf({ form, x5chain: [leaf!, issuing!, issuing!, root!] })).toEqual(['uvm.x5chain'])
  })
})

describe('of several endorsements', () => {
  it('the one of the launched image is told', async () => {
    const other = make.endorsement({ launchMeasurement: new Uint8Array(48), svn: 103 })
    const { uvm } = await verify([other, make.endorsement()])
    expect(uvm?.svn).toBe('104')
  })

  it('both forms may be there', async () => {
    const { verified } = await verify([make.endorsement({ form: 'hashEnvelope' }), make.endorsement()])
    expect(verified).toBe(true)
  })

  it('a broken one is not overlooked for a good one', async () => {
    const { verified } = await verify([make.endorsement(), flipped(make.endorsement(), -1)])
    expect(verified).toBe(false)
  })
})

it('an endorsement of another form is not guessed at: a JSON payload under the headers of an envelope is refused', async () => {
  const json = make.endorsement()
  const { payload } = decodeUvmEndorsement(json)
  const bytes = Buffer.from(json)
  const text = encodeUtf8(Buffer.from(payload).toString().replace('launchmeasurement', 'launchmeasuremenT'))
  bytes.set(text, bytes.indexOf(payload))
  const { checks } = await verify([new Uint8Array(bytes)])
  expect(checks.filter(({ met }) => !met).map(({ name }) => name)).toEqual(['uvm'])
})
