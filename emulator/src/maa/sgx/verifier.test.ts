import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { decodePckExtensions, derToPem, encodeHex, encodeUtf8, pemToDer } from '@skerry/guest/wire'
import { describe, expect, it } from 'vitest'
import { buildPck, buildPckCa, buildSgxRoot } from './intel-profile.ts'
import { platformTcb } from './own-collateral.ts'
import {
  AT,
  certificatesOf,
  createEnclaveWorld,
  flipped,
  pointOf,
  RUNTIME_DATA,
  resigned,
  signBytes,
  withCertificates,
} from './test-enclave.ts'
import { createQuoteVerifier } from './verifier.ts'

const { ctx, platform, quote, verify, unmet, keys } = createEnclaveWorld()
const GOOD = await quote()
const DAY_MS = 24 * 3600 * 1000

describe('a quote of the virtual platform', () => {
  it('is verified, with every check met and its report as the enclave was loaded', async () => {
    const measured = { mrEnclave: new Uint8Array(32).fill(1), mrSigner: new Uint8Array(32).fill(2) }
    const options = { ...measured, productId: 7, svn: 9, debug: true }
    const found = await verify({ quote: await quote(options), runtimeData: RUNTIME_DATA })
    expect(found.checks.filter(({ met }) => !met)).toEqual([])
    expect(found.verified).toBe(true)
    expect(found.report).toMatchObject({ ...measured, isvProductId: 7, isvSvn: 9, flags: 7n })
    expect(found.runtime).toEqual({ value: { keys: [] } })
  })

  it('may be without runtime data: its report data is then anything', async () => {
    expect(await unmet({ quote: await platform.launch().quote(new Uint8Array(64).fill(7)) })).toEqual([])
  })

  it('has another report of the quoting enclave than of the enclave', async () => {
    expect(encodeHex(GOOD.subarray(AT.qeReport + 128, AT.qeReport + 160))).not.toBe(encodeHex(GOOD.subarray(176, 208)))
  })
})

describe('an altered quote is refused', () => {
  it.each([
    ['the version', 0, ['quote']],
    ['the key type', 2, ['quote']],
    ['a reserved byte of the header', 4, ['quote']],
    ['the SVN of the quoting enclave', 8, ['quote.signature']],
    ['the SVN of the certification enclave', 10, ['quote.signature']],
    ['the vendor', 12, ['quote.signature']],
    ['the user data', 28, ['quote.signature']],
    ['CPUSVN', 48, ['quote.signature']],
    ['MISCSELECT', 64, ['quote.signature']],
    ['a reserved byte of the report', 68, ['quote']],
    ['the extended product id', 80, ['quote.signature']],
    ['the attributes', 96, ['quote.signature']],
    ['XFRM', 104, ['quote.signature']],
    ['MRENCLAVE', 112, ['quote.signature']],
    ['MRSIGNER', 176, ['quote.signature']],
    ['CONFIGID', 240, ['quote.signature']],
    ['ISVPRODID', 304, ['quote.signature']],
    ['ISVSVN', 306, ['quote.signature']],
    ['CONFIGSVN', 308, ['quote.signature']],
    ['the family id', 352, ['quote.signature']],
    ['the report data', 368, ['quote.signature', 'report.reportData']],
    ['the second half of the report data', 431, ['quote.signature', 'report.reportData']],
    ['the size of the signature data', 432, ['quote']],
    ['the signature', AT.signature, ['quote.signature']],
    ['the attestation key', AT.attestationKey, ['qe.reportData', 'quote.signature']],
    ['CPUSVN of the quoting enclave', AT.qeReport, ['qe.signature']],
    ['MISCSELECT of the quoting enclave', AT.qeReport + 16, ['qe.signature', 'qe.miscSelect']],
    ['the attributes of the quoting enclave', AT.qeReport + 48, ['qe.signature', 'qe.attributes']],
    ['MRENCLAVE of the quoting enclave', AT.qeReport + 64, ['qe.signature']],
    ['MRSIGNER of the quoting enclave', AT.qeReport + 128, ['qe.signature', 'qe.mrSigner']],
    ['the product of the quoting enclave', AT.qeReport + 256, ['qe.signature', 'qe.productId']],
    ['the report data of the quoting enclave', AT.qeReport + 320, ['qe.signature', 'qe.reportData']],
    ['the signature of the quoting enclave', AT.qeSignature, ['qe.signature']],
    ['the size of the authentication data', AT.authSize, ['quote']],
    ['the authentication data', AT.authData, ['qe.reportData']],
    ['the type of the certification data', AT.certificationType, ['quote.certificationDataType']],
    ['the size of the certification data', AT.certificationSize, ['quote']],
  ])('%s', async (_, at, reasons) => {
    expect(await unmet({ quote: flipped(GOOD, at), runtimeData: RUNTIME_DATA })).toEqual(reasons)
  })

  it('cut off anywhere, with bytes after it, or with nothing in it', async () => {
    for (const size of [0, 1, 435, 436, 1051, GOOD.length - 1]) {
      expect(await unmet({ quote: GOOD.subarray(0, size) })).toEqual(['quote'])
    }
    expect(await unmet({ quote: Uint8Array.of(...GOOD, 0) })).toEqual(['quote'])
  })

  it('signed by a key that the quoting enclave did not make', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const forged = resigned(GOOD, privateKey, (content) => content.fill(1, 112, 144))
    expect(await unmet({ quote: forged, runtimeData: RUNTIME_DATA })).toEqual(['quote.signature'])
    forged.set(pointOf(privateKey), AT.attestationKey)
    expect(await unmet({ quote: forged, runtimeData: RUNTIME_DATA })).toEqual(['qe.reportData'])
  })

  it('with zeros for an attestation key, which are no point of the curve', async () => {
    const forged = Uint8Array.from(GOOD).fill(0, AT.attestationKey, AT.qeReport)
    expect(await unmet({ quote: forged })).toEqual(['qe.reportData', 'quote.signature'])
  })
})

describe('the certificates of a quote', () => {
  const [leaf, issuer, root] = pemToDer(certificatesOf(GOOD)) as [Uint8Array, Uint8Array, Uint8Array]
  const pem = (...ders: readonly Uint8Array[]) => ders.map((der) => derToPem(der)).join('')
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' })

  it.each([
    ['two of them', pem(leaf, issuer), ['certificates']],
    ['four of them', pem(leaf, issuer, root, root), ['certificates']],
    ['text that is none', 'certificates', ['certificates']],
    ['a leaf without Intel’s extension', pem(issuer, issuer, root), ['certificates']],
    ['a PEM block that is no certificate', pem(leaf, encodeUtf8('no certificate'), root), ['certificates']],
  ])('%s', async (_, text, reasons) => {
    expect(await unmet({ quote: withCertificates(GOOD, text) })).toEqual(reasons)
  })

  it('in another order: neither names, authorities nor signatures are right', async () => {
    expect(await unmet({ quote: withCertificates(GOOD, pem(leaf, root, issuer)) })).toEqual([
      'certificates.names',
      'certificates.leafSignature',
      'certificates.issuerSignature',
      'certificates.rootSignature',
      'certificates.root',
    ])
  })

  it('an altered leaf, CA or root: exactly its signature fails', async () => {
    for (const [index, reason] of ['leafSignature', 'issuerSignature', 'rootSignature'].entries()) {
      const ders = [leaf, issuer, root].map((der, at) => (at === index ? flipped(der, der.length - 1) : der))
      expect(await unmet({ quote: withCertificates(GOOD, pem(...ders)) })).toContain(`certificates.${reason}`)
    }
  })

  it('a whole hierarchy of somebody else’s: only the root’s key gives it away', async () => {
    const now = ctx.clock.now()
    const theirRoot = { publicKey: other.publicKey, privateKey: other.privateKey }
    const pck = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const { extensions } = theirExtensions()
    const theirs = pem(
      buildPck(pck.publicKey, extensions, theirRoot, now),
      buildPckCa(other.publicKey, theirRoot, now),
      buildSgxRoot(theirRoot, now),
    )
    const forged = withCertificates(GOOD, theirs)
    forged.set(signBytes(forged.subarray(AT.qeReport, AT.qeSignature), pck.privateKey), AT.qeSignature)
    expect(await unmet({ quote: forged, runtimeData: RUNTIME_DATA })).toEqual(['certificates.root'])
  })

  it('a PCK certificate of the same platform, but of another key', async () => {
    const { extensions } = theirExtensions()
    const ca = await keys.ca()
    const issuerKeys = { privateKey: ca, publicKey: createPublicKey(ca) }
    const forged = pem(buildPck(other.publicKey, extensions, issuerKeys, ctx.clock.now()), issuer, root)
    expect(await unmet({ quote: withCertificates(GOOD, forged) })).toEqual(['qe.signature'])
  })

  it('out of date, and not yet valid', async () => {
    const days = 365.25 * 8
    const at = ctx.clock.now() + days * DAY_MS
    const found = await verify({ quote: GOOD }, { at, collateral: (own) => own })
    expect(found.checks.filter(({ met }) => !met).map(({ name }) => name)).toContain('certificates.validity')
    expect(await unmet({ quote: GOOD }, { at: ctx.clock.now() - days * DAY_MS })).toContain('certificates.validity')
  })

  function theirExtensions() {
    return { extensions: decodePckExtensions(leaf) }
  }
})

describe('data that the quote is said to speak of', () => {
  it('other runtime data, by one byte', async () => {
    const runtimeData = { ...RUNTIME_DATA, data: flipped(RUNTIME_DATA.data, 0) }
    expect(await unmet({ quote: GOOD, runtimeData })).toEqual(['runtimeData.json', 'report.reportData'])
  })

  it('the digest with something after it: the second half of the report data is zero', async () => {
    const reportData = Uint8Array.of(...GOOD.subarray(368, 400), 1)
    const longer = await platform.launch().quote(reportData)
    expect(await unmet({ quote: longer, runtimeData: RUNTIME_DATA })).toEqual(['report.reportData'])
  })

  it('runtime data that is no JSON, and is said to be', async () => {
    const runtimeData = { ...RUNTIME_DATA, data: encodeUtf8('{') }
    expect(await unmet({ quote: GOOD, runtimeData })).toContain('runtimeData.json')
  })

  it('init time data without an enclave’s configuration that could bind it', async () => {
    expect(await unmet({ quote: GOOD, initTimeData: RUNTIME_DATA })).toEqual(['report.configId'])
  })

  it('init time data that is the first half of the configuration id, and other', async () => {
    const configId = new Uint8Array(64)
    configId.set(GOOD.subarray(368, 400))
    const configured = await quote({ kss: { configId } })
    expect(await unmet({ quote: configured, initTimeData: RUNTIME_DATA })).toEqual([])
    const initTimeData = { data: encodeUtf8('{}'), dataType: 'JSON' } as const
    expect(await unmet({ quote: configured, initTimeData })).toEqual(['report.configId'])
  })
})

describe('the TCB of a platform', () => {
  it.each([
    ['azuredefault', 10, []],
    ['10', 10, []],
    ['12', 12, []],
    ['13', 12, ['tcb.status']],
    ['15', 12, ['tcb.status']],
    ['azuredefault', 9, ['tcb.status']],
    ['15', 0, ['tcb.status']],
  ])('by baseline %s at security versions of %i', async (baseline, version, reasons) => {
    expect(await unmet({ quote: await quote({ tcb: platformTcb(version) }) }, { baseline })).toEqual(reasons)
  })

  it('has every component and the certification enclave at the level, not most of them', async () => {
    const { components, pceSvn } = platformTcb(12)
    const behind = { components: components.map((svn, index) => (index === 1 ? svn - 1 : svn)), pceSvn }
    expect(await unmet({ quote: await quote({ tcb: behind }) }, { baseline: '12' })).toEqual(['tcb.status'])
    const oldPce = { components, pceSvn: pceSvn - 1 }
    expect(await unmet({ quote: await quote({ tcb: oldPce }) }, { baseline: '12' })).toEqual(['tcb.status'])
  })

  it('an old quoting enclave is refused whatever the platform', async () => {
    expect(await unmet({ quote: await quote({ qeSvn: 7 }) })).toEqual(['qe.status'])
    expect(await unmet({ quote: await quote({ qeSvn: 0 }) })).toEqual(['qe.status'])
  })

  it.each(['16', '9', 'intel', ''])('baseline %j is none', async (baseline) => {
    expect(await unmet({ quote: GOOD }, { baseline })).toEqual(['collateral'])
  })

  it('is not looked at for a root without collateral, and the journal is told', async () => {
    const spkiSha256 = await platform.rootSpkiSha256()
    const verifier = createQuoteVerifier(async () => ({ roots: [{ spkiSha256 }] }))
    const found = await verifier.verify(
      { quote: await quote({ tcb: platformTcb(0) }) },
      'azuredefault',
      ctx.clock.now(),
    )
    expect(found.verified).toBe(true)
    expect(found.collateral).toBeUndefined()
    expect(found.checks.find(({ name }) => name === 'collateral')?.found).toMatch(/not evaluated/)
  })
})
