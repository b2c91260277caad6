import { constants, createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto'
import { AsnConvert } from '@peculiar/asn1-schema'
import { Certificate } from '@peculiar/asn1-x509'
import { type DecodedSnpAttestRequest, decodeHex, encodeUtf8 } from '@skerry/guest/wire'
import { describe, expect, it } from 'vitest'
import { createTestContext } from '../../core/test-context.ts'
import { buildVcek } from '../../psp/amd-profile.ts'
import { buildCertificate } from '../../x509/certificate.ts'
import { distinguishedName } from '../../x509/names.ts'
import { createEvidenceMaker, flipped, NOW, pemOf, REPORT, resign } from './test-evidence.ts'
import { createEvidenceVerifier } from './verifier.ts'

const YEAR_MS = 366 * 24 * 3600 * 1000

const make = await createEvidenceMaker(createTestContext().ctx.keys)
const { chain, keys } = make
const [vcek, ask, ark] = chain

const verify = (change: Partial<DecodedSnpAttestRequest>, atMs = NOW, trust = make.trust) =>
  createEvidenceVerifier(async () => trust).verify(make.request(change), atMs)

const unmetOf = async (change: Partial<DecodedSnpAttestRequest>, atMs = NOW, trust = make.trust) => {
  const { checks, verified } = await verify(change, atMs, trust)
  expect(verified).toBe(false)
  for (const { met, hint } of checks) expect(met || hint).toBeTruthy()
  return checks.filter(({ met }) => !met).map(({ name }) => name)
}

const amdName = (commonName: string) =>
  distinguishedName([
    ['OU', 'Engineering'],
    ['C', 'US'],
    ['L', 'Santa Clara'],
    ['ST', 'CA'],
    ['O', 'Advanced Micro Devices'],
    ['CN', commonName],
  ])

const plainCertificate = (subject: string, issuer: string, publicKey: KeyObject, signer: KeyObject) =>
  buildCertificate(
    {
      serial: 5n,
      subject: amdName(subject),
      issuer: amdName(issuer),
      notBefore: new Date(NOW - YEAR_MS),
      notAfter: new Date(NOW + YEAR_MS),
      publicKey: createPublicKey(publicKey),
      extensions: [],
    },
    signer,
    'rsa-pss-sha384',
  )

/** A VCEK with other content than the report's. */
const otherVcek = (change: { chipId?: Uint8Array; microcode?: number }) =>
  buildVcek(
    {
      publicKey: createPublicKey(keys.vcek),
      chipId: change.chipId ?? REPORT.chipId,
      tcb: { bootLoader: 4, tee: 0, snp: 24, microcode: change.microcode ?? 0xdb },
    },
    keys.ask,
    NOW,
  )

/** A certificate with another common name of the same length, signed again. */
const renamed = (der: Buffer, from: string, to: string, signer: KeyObject) => {
  const bytes = Buffer.from(der.toString('latin1').replace(from, to), 'latin1')
  const certificate = AsnConvert.parse(Uint8Array.from(bytes), Certificate)
  const key = { key: signer, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 48 }
  certificate.signatureValue = Uint8Array.from(sign('sha384', Buffer.from(certificate.tbsCertificateRaw!), key)).buffer
  return Buffer.from(AsnConvert.serialize(certificate))
}

const patched = (offset: number, value: number) => {
  const bytes = Uint8Array.from(make.report())
  bytes[offset] = value
  resign(bytes, keys.vcek)
  return bytes
}

describe('SNP evidence', () => {
  it('is verified when everything holds', async () => {
    const evidence = await verify({})
    expect(evidence.checks.filter(({ met }) => !met)).toEqual([])
    expect(evidence).toMatchObject({ verified: true, product: 'Milan', runtime: { value: { keys: [] } } })
    expect(evidence.uvm?.feed).toBe('ContainerPlat-AMD-UVM')
  })

  it('is verified without runtime data, init time data and endorsements, and then says nothing of them', async () => {
    const { runtimeData: _r, initTimeData: _i, ...bare } = make.request({ uvmEndorsements: [] })
    const evidence = await createEvidenceVerifier(async () => make.trust).verify(bare, NOW)
    expect(evidence.verified).toBe(true)
    expect(evidence).not.toHaveProperty('uvm')
    expect(evidence).not.toHaveProperty('runtime')
  })

  it('accepts a masked chip id, which no certificate can be compared with', async () => {
    expect((await verify({ report: make.report({ chipId: new Uint8Array(64) }) })).verified).toBe(true)
  })

  it('hashes binary runtime data and does not parse it', async () => {
    const data = make.request().runtimeData!.data
    const evidence = await verify({ runtimeData: { data, dataType: 'Binary' } })
    expect(evidence.verified).toBe(true)
    expect(evidence).not.toHaveProperty('runtime')
  })

  it('takes the word of the certificate for the product of a version 2 report', async () => {
    const { cpuidFamily: _f, cpuidModel: _m, cpuidStepping: _s, ...older } = REPORT
    const report = make.report({
      ...older,
      version: 2,
      cpuidFamily: undefined,
      cpuidModel: undefined,
      cpuidStepping: undefined,
    } as never)
    expect((await verify({ report })).verified).toBe(true)
  })
})

describe('each broken alone is named alone', () => {
  const cases: readonly (readonly [name: string, what: string, () => Partial<DecodedSnpAttestRequest>])[] = [
    ['report.size', 'a report cut short', () => ({ report: make.report().subarray(0, 1183) })],
    ['report.version', 'a version that does not exist', () => ({ report: patched(0, 6) })],
    ['report.reserved', 'a reserved byte that is not zero', () => ({ report: patched(0x4c, 1) })],
    [
      'report.signatureAlgo',
      'an algorithm other than ECDSA P-384',
      () => ({ report: make.report({ signatureAlgo: 2 }) }),
    ],
    ['report.policy', 'bit 17 of the guest policy zero', () => ({ report: make.report({ policy: 0x1001fn }) })],
    ['report.keyInfo', 'a reserved bit of the key information', () => ({ report: make.report({ keyInfo: 0x20 }) })],
    ['report.signingKey', 'a report that says VLEK under a VCEK', () => ({ report: make.report({ keyInfo: 4 }) })],
    [
      'report.product',
      'a report of a Genoa under a Milan chain',
      () => ({ report: make.report({ cpuidModel: 0x11 }) }),
    ],
    ['report.signature', 'one bit of the signature', () => ({ report: flipped(make.report(), 0x2a0) })],
    ['certificates', 'two certificates', () => ({ certificateChainPem: pemOf([vcek, ask]) })],
    ['certificates', 'a text without certificates', () => ({ certificateChainPem: 'no certificate' })],
    ['certificates', 'an ASK where the VCEK belongs', () => ({ certificateChainPem: pemOf([ask, ask, ark]) })],
    [
      'certificates.leafSignature',
      "one bit of the VCEK's signature",
      () => ({ certificateChainPem: pemOf([flipped(vcek, -1), ask, ark]) }),
    ],
    [
      'certificates.askSignature',
      "one bit of the ASK's signature",
      () => ({ certificateChainPem: pemOf([vcek, flipped(ask, -1), ark]) }),
    ],
    [
      'certificates.arkSignature',
      "one bit of the ARK's signature",
      () => ({ certificateChainPem: pemOf([vcek, ask, flipped(ark, -1)]) }),
    ],
    [
      'certificates.authorities',
      'an ASK that is no certificate authority',
      () => ({
        certificateChainPem: pemOf([vcek, plainCertificate('SEV-Milan', 'ARK-Milan', keys.ask, keys.ark), ark]),
      }),
    ],
    [
      'certificates.profile',
      'a VCEK that says that it is of a Genoa',
      () => ({ certificateChainPem: pemOf([renamed(vcek, 'Milan-B0', 'Genoa-B0', keys.ask), ask, ark]) }),
    ],
    [
      'vcek.hwid',
      'the VCEK of another chip',
      () => ({ certificateChainPem: pemOf([otherVcek({ chipId: new Uint8Array(64).fill(1) }), ask, ark]) }),
    ],
    [
      'vcek.tcb',
      'the VCEK of another TCB',
      () => ({ certificateChainPem: pemOf([otherVcek({ microcode: 0xdc }), ask, ark]) }),
    ],
    [
      'vcek.tcb',
      'a report of another TCB',
      () => ({ report: make.report({ reportedTcb: decodeHex('04000000000018dc') }) }),
    ],
    [
      'report.reportData',
      'other runtime data',
      () => ({ runtimeData: { data: encodeUtf8('{"keys": []}'), dataType: 'JSON' } }),
    ],
    [
      'report.reportData',
      'a second half of report data that is not zero',
      () => ({ report: make.report({ reportData: flipped(REPORT.reportData, 63) }) }),
    ],
    ['report.hostData', 'other init time data', () => ({ initTimeData: { data: encodeUtf8('{}'), dataType: 'JSON' } })],
    ['uvm', 'an endorsement that is not COSE', () => ({ uvmEndorsements: [encodeUtf8('not CBOR')] })],
    ['uvm.alg', 'an endorsement by another algorithm', () => ({ uvmEndorsements: [make.endorsement({ alg: -257 })] })],
    [
      'uvm.signature',
      "one bit of the endorsement's signature",
      () => ({ uvmEndorsements: [flipped(make.endorsement(), -1)] }),
    ],
    [
      'uvm.x5chain',
      "one bit of the signature in the endorser's certificate",
      () => ({
        uvmEndorsements: [make.endorsement({ x5chain: [flipped(make.uvmChain[0]!, -1), ...make.uvmChain.slice(1)] })],
      }),
    ],
    ['uvm.feed', 'another feed', () => ({ uvmEndorsements: [make.endorsement({ feed: 'another feed' })] })],
    [
      'uvm.launchMeasurement',
      'another image',
      () => ({ uvmEndorsements: [make.endorsement({ launchMeasurement: new Uint8Array(48) })] }),
    ],
  ]
  for (const [name, what, change] of cases) {
    it(`${name}: ${what}`, async () => {
      expect(await unmetOf(change())).toEqual([name])
    })
  }

  it('certificates.names: a leaf that is called neither VCEK nor VLEK', async () => {
    const leaf = renamed(vcek, 'SEV-VCEK', 'SEV-OTHR', keys.ask)
    expect(await unmetOf({ certificateChainPem: pemOf([leaf, ask, ark]) })).toEqual(['certificates.names'])
  })

  it('certificates.ark: a chain to a root that is not trusted', async () => {
    const trust = { ...make.trust, roots: [{ product: 'Milan' as const, arkSpkiSha256: '00'.repeat(32) }] }
    expect(await unmetOf({}, NOW, trust)).toEqual(['certificates.ark'])
  })

  it('certificates.validity: ten years later', async () => {
    expect(await unmetOf({}, NOW + 10 * YEAR_MS)).toEqual(['certificates.validity'])
  })

  it('uvm.did: an issuer that names another CA than those of the chain', async () => {
    const issuer = make.trust.uvm[0]!.issuer.replace(/sha256:.{4}/, 'sha256:AAAA')
    const trust = { ...make.trust, uvm: [{ issuer, feed: 'ContainerPlat-AMD-UVM' }] }
    expect(await unmetOf({ uvmEndorsements: [make.endorsement({ issuer })] }, NOW, trust)).toEqual(['uvm.did'])
  })

  it('uvm.issuer: an endorser that is well formed and not trusted', async () => {
    const trust = {
      ...make.trust,
      uvm: [{ issuer: 'did:x509:0:sha256:AAAA::eku:1.2.3', feed: 'ContainerPlat-AMD-UVM' }],
    }
    expect(await unmetOf({}, NOW, trust)).toEqual(['uvm.issuer'])
  })

  it('runtimeData.json: text that is not JSON under dataType JSON', async () => {
    const data = encodeUtf8('not JSON')
    const reportData = Uint8Array.of(...createHash('sha256').update(data).digest(), ...new Uint8Array(32))
    const change = { report: make.report({ reportData }), runtimeData: { data, dataType: 'JSON' as const } }
    expect(await unmetOf(change)).toEqual(['runtimeData.json'])
  })

  it('initTimeData.json: the same of what the guest was launched with', async () => {
    const data = encodeUtf8('not JSON')
    const hostData = new Uint8Array(createHash('sha256').update(data).digest())
    const change = { report: make.report({ hostData }), initTimeData: { data, dataType: 'JSON' as const } }
    expect(await unmetOf(change)).toEqual(['initTimeData.json'])
  })
})

describe('a verifier', () => {
  it('names everything that is wrong, not only the first', async () => {
    const change = {
      report: flipped(make.report({ reportedTcb: decodeHex('04000000000018dc') }), 0x2a0),
      uvmEndorsements: [flipped(make.endorsement(), -1)],
    }
    expect(await unmetOf(change)).toEqual(['report.signature', 'vcek.tcb', 'uvm.signature'])
  })

  it('judges dates anew although it keeps the chain', async () => {
    const verifier = createEvidenceVerifier(async () => make.trust)
    expect((await verifier.verify(make.request(), NOW)).verified).toBe(true)
    expect((await verifier.verify(make.request(), NOW + 10 * YEAR_MS)).verified).toBe(false)
  })
})

it('is not broken by a huge RSA key in the place of the VCEK, and breaks nobody else’s work', async () => {
  const n = Buffer.alloc(2_500, 0xff).toString('base64url')
  const publicKey = createPublicKey({ key: { kty: 'RSA', n, e: 'AQAB' }, format: 'jwk' })
  const huge = buildVcek(
    { publicKey, chipId: REPORT.chipId, tcb: { bootLoader: 4, tee: 0, snp: 24, microcode: 0xdb } },
    keys.ask,
    NOW,
  )
  const pem = keys.ark.export({ type: 'pkcs8', format: 'pem' })
  expect(await unmetOf({ certificateChainPem: pemOf([huge, ask, ark]) })).toContain('report.signature')
  expect(() => createPrivateKey(pem)).not.toThrow()
})

it.each([
  ['lists', '['.repeat(100_000) + ']'.repeat(100_000)],
  ['objects', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`],
])('refuses runtime data of %s that are nested without end: they would be a claim', async (_, text) => {
  const data = encodeUtf8(text)
  const reportData = new Uint8Array(64)
  reportData.set(createHash('sha256').update(data).digest())
  expect(await unmetOf({ report: make.report({ reportData }), runtimeData: { data, dataType: 'JSON' } })).toEqual([
    'runtimeData.json',
  ])
})
