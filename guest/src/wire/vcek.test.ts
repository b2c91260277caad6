import { AsnConvert, OctetString } from '@peculiar/asn1-schema'
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  Certificate,
  Extension,
  Extensions,
  Name,
  RelativeDistinguishedName,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
} from '@peculiar/asn1-x509'
import { describe, expect, it } from 'vitest'
import { certificateNames } from './certificate.ts'
import type { WireError } from './errors.ts'
import { decodeVcekExtensions, productOfName, VCEK_OIDS } from './vcek.ts'

const small = (value: number) => (value < 0x80 ? Uint8Array.of(2, 1, value) : Uint8Array.of(2, 2, 0, value))
const ia5 = (text: string) => Uint8Array.of(0x16, text.length, ...new TextEncoder().encode(text))
const HWID = new Uint8Array(64).fill(5)

const MILAN: readonly (readonly [string, Uint8Array])[] = [
  [VCEK_OIDS.structureVersion, small(0)],
  [VCEK_OIDS.productName, ia5('Milan-B0')],
  [VCEK_OIDS.bootLoader, small(4)],
  [VCEK_OIDS.tee, small(0)],
  [VCEK_OIDS.snp, small(24)],
  [VCEK_OIDS.microcode, small(0xdb)],
  [VCEK_OIDS.hwid, HWID],
]
const named = (commonName: string) =>
  new Name([
    new RelativeDistinguishedName([
      new AttributeTypeAndValue({ type: '2.5.4.3', value: new AttributeValue({ utf8String: commonName }) }),
    ]),
  ])

/** An unsigned certificate with these extensions: reading them needs no signature. */
const certificate = (extensions: readonly (readonly [string, Uint8Array])[]) => {
  const algorithm = new AlgorithmIdentifier({ algorithm: '1.2.840.113549.1.1.10', parameters: null })
  const tbsCertificate = new TBSCertificate({
    version: 2,
    serialNumber: Uint8Array.of(0).buffer,
    signature: algorithm,
    issuer: named('SEV-Milan'),
    validity: new Validity({ notBefore: new Date(0), notAfter: new Date(1) }),
    subject: named('SEV-VCEK'),
    subjectPublicKeyInfo: new SubjectPublicKeyInfo({ algorithm, subjectPublicKey: new ArrayBuffer(1) }),
    extensions: new Extensions(
      extensions.map(
        ([extnID, value]) =>
          new Extension({ extnID, critical: false, extnValue: new OctetString(Uint8Array.from(value).buffer) }),
      ),
    ),
  })
  return new Uint8Array(
    AsnConvert.serialize(
      new Certificate({ tbsCertificate, signatureAlgorithm: algorithm, signatureValue: new ArrayBuffer(1) }),
    ),
  )
}
const changed = (oid: string, value?: Uint8Array) =>
  certificate(
    value === undefined
      ? MILAN.filter(([name]) => name !== oid)
      : MILAN.map((entry) => (entry[0] === oid ? [oid, value] : entry)),
  )

describe('a VCEK', () => {
  it('names its chip and its TCB; microcode from 128 on takes two bytes', () => {
    expect(decodeVcekExtensions(certificate(MILAN))).toEqual({
      structureVersion: 0,
      productName: 'Milan-B0',
      tcb: { bootLoader: 4, tee: 0, snp: 24, microcode: 0xdb },
      hwid: HWID,
    })
    expect(certificateNames(certificate(MILAN))).toEqual({ subject: 'SEV-VCEK', issuer: 'SEV-Milan' })
  })

  it('of Turin has an FMC level and a short HWID', () => {
    const turin = [
      ...MILAN.filter(([oid]) => oid !== VCEK_OIDS.hwid),
      [VCEK_OIDS.fmc, small(1)],
      [VCEK_OIDS.hwid, HWID.subarray(0, 8)],
    ] as const
    const { tcb, hwid } = decodeVcekExtensions(certificate(turin))
    expect(tcb.fmc).toBe(1)
    expect(hwid?.length).toBe(8)
  })

  it('that is a VLEK names a provider instead of a chip', () => {
    const vlek = [...MILAN.filter(([oid]) => oid !== VCEK_OIDS.hwid), [VCEK_OIDS.cspId, ia5('CN=csp')]] as const
    const read = decodeVcekExtensions(certificate(vlek))
    expect(read.cspId).toBe('CN=csp')
    expect(read).not.toHaveProperty('hwid')
  })

  it.each([
    [
      'a level of one byte that must have two',
      changed(VCEK_OIDS.microcode, Uint8Array.of(2, 1, 0xdb)),
      VCEK_OIDS.microcode,
    ],
    [
      'a level of two bytes that must have one',
      changed(VCEK_OIDS.microcode, Uint8Array.of(2, 2, 0, 1)),
      VCEK_OIDS.microcode,
    ],
    ['a level above 255', changed(VCEK_OIDS.snp, Uint8Array.of(2, 2, 1, 0)), VCEK_OIDS.snp],
    ['a level that is missing', changed(VCEK_OIDS.tee), VCEK_OIDS.tee],
    [
      'a product name that is no IA5String',
      changed(VCEK_OIDS.productName, Uint8Array.of(0x0c, 1, 65)),
      VCEK_OIDS.productName,
    ],
    ['neither chip nor provider', changed(VCEK_OIDS.hwid), VCEK_OIDS.hwid],
    ['an extension that is there twice', certificate([...MILAN, MILAN[2]!]), VCEK_OIDS.bootLoader],
  ])('is refused: %s', (_, der, at) => {
    expect(() => decodeVcekExtensions(der)).toThrow(
      expect.objectContaining({ code: 'ERR_VCEK_EXTENSION', at }) as WireError,
    )
  })

  it('that is no certificate is refused', () => {
    expect(() => decodeVcekExtensions(Uint8Array.of(1, 2, 3))).toThrow(
      expect.objectContaining({ code: 'ERR_CERTIFICATE' }) as WireError,
    )
  })
})

describe('a product name', () => {
  it.each([
    ['Milan-B0', 'Milan'],
    ['SEV-Genoa', 'Genoa'],
    ['SEV-VLEK-Turin', 'Turin'],
    ['ARK-Venice', undefined],
  ])('%s is of %s', (name, product) => {
    expect(productOfName(name)).toBe(product)
  })
})
