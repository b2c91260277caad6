import { encodeUtf8 } from '@skerry/guest/wire'
import { expect, it } from 'vitest'
import { createTestContext } from '../../core/test-context.ts'
import { createEvidenceMaker, flipped, NOW, pemOf } from './test-evidence.ts'
import { createEvidenceVerifier } from './verifier.ts'

/*
 * The order of the reference: form of the report, chain up to its root, signature of the report and what binds it to its
 * chain, runtime data, init time data, endorsement, image. Nothing is left out because something before it failed.
 */
const ORDER = [
  'report.version',
  'report.signatureAlgo',
  'report.policy',
  'report.keyInfo',
  'certificates',
  'certificates.names',
  'certificates.profile',
  'certificates.authorities',
  'certificates.leafSignature',
  'certificates.askSignature',
  'certificates.arkSignature',
  'certificates.ark',
  'certificates.validity',
  'report.signingKey',
  'report.product',
  'report.signature',
  'vcek.hwid',
  'vcek.tcb',
  'report.reportData',
  'report.hostData',
  'uvm.alg',
  'uvm.x5chain',
  'uvm.signature',
  'uvm.x5t',
  'uvm.signingTime',
  'uvm.did',
  'uvm.issuer',
  'uvm.feed',
  'uvm.svn',
  'uvm.launchMeasurement',
]

const make = await createEvidenceMaker(createTestContext().ctx.keys)
const trust = { ...make.trust, uvm: make.trust.uvm.map((pair) => ({ ...pair, minimumSvn: 100 })) }

it('the checks of good evidence are made in the order of the reference', async () => {
  const { checks, verified } = await createEvidenceVerifier(async () => trust).verify(make.request(), NOW)
  expect(verified).toBe(true)
  expect(checks.map(({ name }) => name)).toEqual(ORDER)
})

it('evidence in which nearly everything is wrong is told all of it, in the same order', async () => {
  const [vcek, ask, ark] = make.chain
  const request = make.request({
    report: flipped(
      make.report({
        version: 1,
        cpuidFamily: undefined,
        cpuidModel: undefined,
        cpuidStepping: undefined,
        policy: 1n,
        signatureAlgo: 7,
        keyInfo: 0x24,
        chipId: new Uint8Array(64).fill(9),
        reportedTcb: new Uint8Array(8).fill(9),
      } as never),
      0x2a0,
    ),
    certificateChainPem: pemOf([flipped(vcek, -1), flipped(ask, -1), flipped(ark, -1)]),
    runtimeData: { data: encodeUtf8('{}'), dataType: 'JSON' },
    initTimeData: { data: encodeUtf8('[]'), dataType: 'JSON' },
    uvmEndorsements: [
      flipped(
        make.endorsement({
          launchMeasurement: new Uint8Array(48),
          leafSha256: new Uint8Array(32),
          signedAt: 1,
          svn: 99,
          issuer: 'did:x509:0:sha256:AAAA::eku:1.2.3',
          feed: 'another',
        }),
        -1,
      ),
    ],
  })
  const nobody = { roots: [], uvm: [...trust.uvm, { issuer: 'did:x509:0:sha256:BBBB::eku:1.2.3', feed: 'one' }] }
  const { checks } = await createEvidenceVerifier(async () => nobody).verify(request, NOW + 10 * 366 * 24 * 3_600_000)
  const good = [
    'certificates',
    'certificates.names',
    'certificates.profile',
    'certificates.authorities',
    'report.product',
  ]
  // Of an endorser that is nobody's there is no least version, and the algorithm and the chain are the right ones.
  const notAsked = ['uvm.alg', 'uvm.x5chain', 'uvm.svn']
  expect(checks.filter(({ met }) => !met).map(({ name }) => name)).toEqual(
    ORDER.filter((name) => !good.includes(name) && !notAsked.includes(name)),
  )
})

it('a report whose fields cannot be read still has its signature looked at, and everything beside it', async () => {
  const report = flipped(make.report(), 0x4c)
  const request = make.request({ report, uvmEndorsements: [flipped(make.endorsement(), -1)] })
  const { checks } = await createEvidenceVerifier(async () => trust).verify(request, NOW)
  expect(checks.filter(({ met }) => !met).map(({ name }) => name)).toEqual([
    'report.reserved',
    'report.signature',
    'uvm.signature',
  ])
})
