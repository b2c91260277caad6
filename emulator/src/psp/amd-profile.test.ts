import { X509Certificate } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { AsnConvert } from '@peculiar/asn1-schema'
import { Certificate } from '@peculiar/asn1-x509'
import { pemToDer } from '@skerry/guest/wire'
import { beforeAll, describe, expect, it } from 'vitest'
import { createTestContext } from '../core/test-context.ts'
import { smallInteger } from './amd-profile.ts'
import { createProcessor } from './index.ts'

const psp = createProcessor(createTestContext().ctx)

/** Everything of a certificate that its profile fixes: what is left out are keys, dates and values of one chip. */
function profileOf(der: Uint8Array) {
  const certificate = AsnConvert.parse(Uint8Array.from(der), Certificate)
  const { tbsCertificate: tbs } = certificate
  const hex = (value: object) => Buffer.from(AsnConvert.serialize(value)).toString('hex')
  return {
    version: tbs.version,
    serial: Buffer.from(tbs.serialNumber).toString('hex'),
    issuer: hex(tbs.issuer),
    subject: hex(tbs.subject),
    keyAlgorithm: hex(tbs.subjectPublicKeyInfo.algorithm),
    signatureAlgorithms: [hex(tbs.signature), hex(certificate.signatureAlgorithm)],
    timeForms: [tbs.validity.notBefore, tbs.validity.notAfter].map((time) => Object.keys(time)),
    extensions: tbs.extensions?.map(({ extnID, critical }) => ({ extnID, critical })),
  }
}

let vcek: Uint8Array
let ask: Uint8Array
let ark: Uint8Array
beforeAll(async () => {
  const { vcekCert, certificateChain } = await psp.thim()
  ;[vcek, ask, ark] = pemToDer(vcekCert + certificateChain) as [Uint8Array, Uint8Array, Uint8Array]
})

const AMD_ARC = '1.3.6.1.4.1.3704.1'

describe('the VCEK', () => {
  it('has serial number 0 and AMD extensions only, in the order of real ones', () => {
    const { serial, extensions } = profileOf(vcek)
    const order = ['1', '2', '3.1', '3.2', '3.4', '3.5', '3.6', '3.7', '3.3', '3.8', '4']
    expect(serial).toBe('00')
    expect(extensions).toEqual(order.map((suffix) => ({ extnID: `${AMD_ARC}.${suffix}`, critical: false })))
  })

  it('writes a level above 127 with two content bytes', () => {
    expect(smallInteger(127)).toEqual(Uint8Array.of(2, 1, 127))
    expect(smallInteger(128)).toEqual(Uint8Array.of(2, 2, 0, 128))
    const microcode = AsnConvert.parse(Uint8Array.from(vcek), Certificate).tbsCertificate.extensions!.find(
      ({ extnID }) => extnID === `${AMD_ARC}.3.8`,
    )
    expect(Buffer.from(microcode!.extnValue.buffer).toString('hex')).toBe('020200db')
  })

  it('is issued by the ASK, and that by the ARK', () => {
    const [leaf, issuing, root] = [vcek, ask, ark].map((der) => new X509Certificate(der)) as [
      X509Certificate,
      X509Certificate,
      X509Certificate,
    ]
    expect(leaf.verify(issuing.publicKey)).toBe(true)
    expect(issuing.verify(root.publicKey)).toBe(true)
    expect(root.verify(root.publicKey)).toBe(true)
    expect(leaf.verify(root.publicKey)).toBe(false)
  })
})

describe('the profile of the certificates is that of AMD, byte for byte where it is fixed', () => {
  const vectors = new URL('../../../../shared/vectors/snp/', import.meta.url)
  const real = (file: string) => pemToDer(readFileSync(new URL(file, vectors), 'utf8'))

  it.for([
    ['VCEK', '05-azcache-milan-v3/vcek.pem', 0, () => vcek],
    ['ASK', '13-amd-ca/milan-cert_chain.pem', 0, () => ask],
    ['ARK', '13-amd-ca/milan-cert_chain.pem', 1, () => ark],
  ] as const)('%s', ([, file, index, ours], { skip }) => {
    if (!existsSync(vectors)) skip('AMD certificates are not beside this checkout (../shared/vectors/snp)')
    expect(profileOf(ours())).toEqual(profileOf(real(file)[index]!))
  })
})
