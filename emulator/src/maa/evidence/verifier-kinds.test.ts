import { createPublicKey } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createTestContext } from '../../core/test-context.ts'
import { buildArk, buildAsk, buildVcek, buildVlek } from '../../psp/amd-profile.ts'
import { createEvidenceMaker, type EvidenceKind, NOW, pemOf } from './test-evidence.ts'
import { createEvidenceVerifier } from './verifier.ts'

/* Every processor, report version and signing key; and a certificate of one where that of another belongs. */

const { keys: cache } = createTestContext().ctx
const KINDS = (['Milan', 'Genoa', 'Turin'] as const).flatMap((product) =>
  (['VCEK', 'VLEK'] as const).flatMap((signedBy) =>
    ([2, 3, 5] as const).map((version): EvidenceKind => ({ product, signedBy, version })),
  ),
)

const unmetOf = async (make: Awaited<ReturnType<typeof createEvidenceMaker>>, ders: readonly Uint8Array[]) => {
  const request = make.request({ certificateChainPem: pemOf(ders) })
  const { checks } = await createEvidenceVerifier(async () => make.trust).verify(request, NOW)
  return checks.filter(({ met }) => !met).map(({ name }) => name)
}

describe.each(KINDS)('a report of version $version of a $product, signed by its $signedBy', (kind) => {
  it('is verified, and the product is known', async () => {
    const make = await createEvidenceMaker(cache, kind)
    const evidence = await createEvidenceVerifier(async () => make.trust).verify(make.request(), NOW)
    expect(evidence.checks.filter(({ met }) => !met)).toEqual([])
    expect(evidence).toMatchObject({ verified: true, product: kind.product, report: { version: kind.version } })
  })

  it('is not verified by a root that is trusted for other products', async () => {
    const make = await createEvidenceMaker(cache, kind)
    const roots = make.trust.roots.map(
      (root) => ({ ...root, product: kind.product === 'Milan' ? 'Genoa' : 'Milan' }) as const,
    )
    const { checks } = await createEvidenceVerifier(async () => ({ ...make.trust, roots })).verify(make.request(), NOW)
    expect(checks.filter(({ met }) => !met).map(({ name }) => name)).toEqual(['certificates.ark'])
  })
})

describe('the certificate of a signing key has the profile of its kind and product', () => {
  const content = async (kind: EvidenceKind) => {
    const make = await createEvidenceMaker(cache, kind)
    const { vcek, ask, ark } = make.keys
    const pair = { privateKey: ark, publicKey: createPublicKey(ark) }
    const bound = {
      publicKey: createPublicKey(vcek),
      chipId: new Uint8Array(64).fill(0x21),
      tcb: make.tcb,
      cspId: 'CN=a',
    }
    return { make, ask, pair, bound }
  }

  it('not that of Genoa under the root of Milan', async () => {
    const { make, ask, bound } = await content({ product: 'Milan', signedBy: 'VCEK', version: 3 })
    const genoa = buildVcek({ ...bound, product: 'Genoa' }, ask, NOW - 1000)
    expect(await unmetOf(make, [genoa, make.chain[1], make.chain[2]])).toEqual([
      'certificates.names',
      'certificates.profile',
    ])
  })

  it('not that of Milan in a chain of Turin', async () => {
    const { make, ask, pair, bound } = await content({ product: 'Turin', signedBy: 'VCEK', version: 5 })
    const { fmc: _, ...tcb } = bound.tcb
    const milan = buildVcek({ ...bound, tcb, product: 'Milan' }, ask, NOW - 1000)
    const chain = [milan, buildAsk(createPublicKey(ask), pair, 'Turin'), buildArk(pair, 'Turin')]
    expect(await unmetOf(make, chain)).toEqual(
      expect.arrayContaining(['certificates.names', 'certificates.profile', 'vcek.hwid', 'vcek.tcb']),
    )
  })

  it('not that of a VLEK for a report that a VCEK signed', async () => {
    const { make, ask, bound } = await content({ product: 'Milan', signedBy: 'VCEK', version: 3 })
    const { chain } = await createEvidenceMaker(cache, { product: 'Milan', signedBy: 'VLEK', version: 3 })
    const vlek = buildVlek({ ...bound, product: 'Milan' }, ask, NOW - 1000)
    expect(await unmetOf(make, [vlek, chain[1], chain[2]])).toEqual(['report.signingKey'])
  })
})
