import { execFileSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AsnConvert } from '@peculiar/asn1-schema'
import { Certificate } from '@peculiar/asn1-x509'
import { pemToDer, type SnpProduct } from '@skerry/guest/wire'
import { describe, expect, it } from 'vitest'
import { createTestContext } from '../core/test-context.ts'
import { type AmdExtensions, amdExtensions, smallInteger } from './amd-profile.ts'
import { createProcessor, type ProcessorOptions } from './index.ts'

const ARC = '1.3.6.1.4.1.3704.1'
const world = createTestContext()

/** Leaf, intermediate, root in DER. */
async function chainOf(options: ProcessorOptions): Promise<[Uint8Array, Uint8Array, Uint8Array]> {
  const { vcekCert, certificateChain } = await createProcessor(world.ctx, options).thim()
  return pemToDer(vcekCert + certificateChain) as [Uint8Array, Uint8Array, Uint8Array]
}

const KINDS = (['Milan', 'Genoa', 'Turin'] as const).flatMap((product) =>
  (['vcek', 'vlek'] as const).map((signing) => ({ product, signing })),
)

function partsOf(der: Uint8Array) {
  const certificate = AsnConvert.parse(Uint8Array.from(der), Certificate)
  const { tbsCertificate: tbs } = certificate
  const x509 = new X509Certificate(der)
  const name = (lines: string) => lines.split('\n').join(', ')
  return {
    version: tbs.version,
    serial: Buffer.from(tbs.serialNumber).toString('hex'),
    issuer: name(x509.issuer),
    subject: name(x509.subject),
    pss: Buffer.from(certificate.signatureAlgorithm.parameters!).toString('hex'),
    timeForms: [tbs.validity.notBefore, tbs.validity.notAfter].map(({ utcTime }) =>
      utcTime === undefined ? 'GeneralizedTime' : 'UTCTime',
    ),
    years: tbs.validity.notAfter.getTime().getUTCFullYear() - tbs.validity.notBefore.getTime().getUTCFullYear(),
    extensions: tbs.extensions?.map(({ extnID, critical }) => (critical ? `${extnID} critical` : extnID)),
  }
}

const nameOf = (commonName: string) =>
  `OU=Engineering, C=US, L=Santa Clara, ST=CA, O=Advanced Micro Devices, CN=${commonName}`

/** RSASSA-PSS-params: SHA-384, MGF1 with it, 48 bytes of salt; AMD's authorities write the default trailer field as well. */
const PSS =
  '3034a00f300d06096086480165030402020500a11c301a06092a864886f70d010108300d06096086480165030402020500a203020130'
const PSS_WITH_TRAILER = `3039${PSS.slice(4)}a303020101`

const SUBJECT_KEY = '2.5.29.14'
const KEY_USAGE = '2.5.29.15 critical'
const CONSTRAINTS = '2.5.29.19 critical'
const CRL = '2.5.29.31'
const AUTHORITY_KEY = '2.5.29.35'

describe.each(KINDS)('the chain of a $product with a $signing', ({ product, signing }) => {
  const vlek = signing === 'vlek'

  it('has a leaf of serial number 0 with AMD extensions alone', async () => {
    const [leaf] = await chainOf({ product, signing })
    const { extensions, ...facts } = partsOf(leaf)
    expect(facts).toEqual({
      version: 2,
      serial: '00',
      subject: nameOf(vlek ? 'SEV-VLEK' : 'SEV-VCEK'),
      issuer: nameOf(vlek ? `SEV-VLEK-${product}` : `SEV-${product}`),
      pss: PSS,
      timeForms: ['UTCTime', 'UTCTime'],
      years: vlek ? 1 : 7,
    })
    expect(extensions?.every((oid) => oid.startsWith(ARC))).toBe(true)
  })

  it('has authorities with the serial numbers, names and extensions of AMD’s', async () => {
    const [, issuing, root] = await chainOf({ product, signing })
    const generation = { Milan: '1', Genoa: '2', Turin: '3' }[product]
    const serials = { ark: `0${generation}0000`, ask: product === 'Genoa' ? '020002' : `0${generation}0001` }
    expect(partsOf(root)).toEqual({
      version: 2,
      serial: serials.ark,
      subject: nameOf(`ARK-${product}`),
      issuer: nameOf(`ARK-${product}`),
      pss: PSS_WITH_TRAILER,
      timeForms: ['UTCTime', 'UTCTime'],
      years: 25,
      extensions: [KEY_USAGE, SUBJECT_KEY, CONSTRAINTS, CRL],
    })
    expect(partsOf(issuing)).toEqual({
      ...partsOf(root),
      serial: vlek ? `0${generation}0101` : serials.ask,
      subject: nameOf(vlek ? `SEV-VLEK-${product}` : `SEV-${product}`),
      extensions: [SUBJECT_KEY, AUTHORITY_KEY, CONSTRAINTS, KEY_USAGE, CRL],
    })
  })

  it('is signed link by link, and by nobody else', async () => {
    const [leaf, issuing, root] = (await chainOf({ product, signing })).map((der) => new X509Certificate(der)) as [
      X509Certificate,
      X509Certificate,
      X509Certificate,
    ]
    expect(leaf.verify(issuing.publicKey)).toBe(true)
    expect(issuing.verify(root.publicKey)).toBe(true)
    expect(root.verify(root.publicKey)).toBe(true)
    expect(leaf.verify(root.publicKey)).toBe(false)
  })

  it('is accepted by the openssl program', async (ctx) => {
    const directory = mkdtempSync(join(tmpdir(), 'skerry-psp-'))
    try {
      const { vcekCert, certificateChain } = await createProcessor(world.ctx, { product, signing }).thim()
      const [issuing, ark] = certificateChain.split(/(?<=-----END CERTIFICATE-----\n)/)
      for (const [name, pem] of Object.entries({ leaf: vcekCert, issuing: issuing!, ark: ark! })) {
        writeFileSync(join(directory, name), pem)
      }
      const at = String(Math.floor(world.clock.now() / 1000))
      const args = ['verify', '-attime', at, '-CAfile', 'ark', '-untrusted', 'issuing', 'leaf']
      expect(execFileSync('openssl', args, { cwd: directory, encoding: 'utf8' })).toContain('leaf: OK')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      ctx.skip('there is no openssl program on this machine')
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})

/** What AMD's own certificates of production hosts have: suffix of the OID, and value in hex, in their order. */
const HWID = new Uint8Array(64).fill(0xc1)
const hwidHex = (size: number) => 'c1'.repeat(size)
const REAL: readonly (readonly [string, AmdExtensions, string])[] = [
  [
    'Milan',
    { product: 'Milan', productName: 'Milan-B0', tcb: { bootLoader: 4, tee: 0, snp: 24, microcode: 219 }, hwid: HWID },
    `1=020100 2=16084d696c616e2d4230 3.1=020104 3.2=020100 3.4=020100 3.5=020100 3.6=020100 3.7=020100 3.3=020118 3.8=020200db 4=${hwidHex(64)}`,
  ],
  [
    'Genoa',
    { product: 'Genoa', productName: 'Genoa', tcb: { bootLoader: 10, tee: 0, snp: 23, microcode: 84 }, hwid: HWID },
    `1=020100 2=160547656e6f61 3.1=02010a 3.2=020100 3.4=020100 3.5=020100 3.6=020100 3.7=020100 3.3=020117 3.8=020154 4=${hwidHex(64)}`,
  ],
  [
    'Turin',
    {
      product: 'Turin',
      productName: 'Turin',
      tcb: { fmc: 1, bootLoader: 1, tee: 1, snp: 4, microcode: 81 },
      hwid: HWID.subarray(0, 8),
    },
    `1=020101 2=1605547572696e 3.9=020101 3.1=020101 3.2=020101 3.3=020104 3.5=020100 3.6=020100 3.7=020100 3.8=020151 4=${hwidHex(8)}`,
  ],
  [
    'Milan (VLEK)',
    {
      product: 'Milan',
      productName: 'Milan',
      tcb: { bootLoader: 4, tee: 0, snp: 24, microcode: 217 },
      cspId: 'CN=cc-us-east-2.amazonaws.com',
    },
    '1=020100 2=16054d696c616e 3.1=020104 3.2=020100 3.4=020100 3.5=020100 3.6=020100 3.7=020100 3.3=020118 3.8=020200d9 5=161d434e3d63632d75732d656173742d322e616d617a6f6e6177732e636f6d',
  ],
]

describe('the extensions', () => {
  it.each(REAL)('of a %s are those of the real one, byte for byte', (_, content, expected) => {
    const found = amdExtensions(content).map(
      ({ extnID, extnValue }) => `${extnID.slice(ARC.length + 1)}=${Buffer.from(extnValue.buffer).toString('hex')}`,
    )
    expect(found.join(' ')).toBe(expected)
  })

  it('write a level above 127 with two content bytes', () => {
    expect(smallInteger(127)).toEqual(Uint8Array.of(2, 1, 127))
    expect(smallInteger(128)).toEqual(Uint8Array.of(2, 2, 0, 128))
    expect(smallInteger(255)).toEqual(Uint8Array.of(2, 2, 0, 255))
  })

  it.each([
    ['Milan', { hwid: 64, structureVersion: '020100' }],
    ['Turin', { hwid: 8, structureVersion: '020101' }],
  ] as const satisfies readonly (readonly [SnpProduct, object])[])(
    'of the processor itself: %s',
    async (product, expected) => {
      const [leaf] = await chainOf({ product })
      const { extensions } = AsnConvert.parse(Uint8Array.from(leaf), Certificate).tbsCertificate
      const value = (suffix: string) =>
        Buffer.from(extensions!.find(({ extnID }) => extnID === `${ARC}.${suffix}`)!.extnValue.buffer)
      expect(value('4').length).toBe(expected.hwid)
      expect(value('1').toString('hex')).toBe(expected.structureVersion)
    },
  )
})
