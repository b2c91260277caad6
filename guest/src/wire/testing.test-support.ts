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
import { VCEK_OIDS } from './vcek.ts'

/* For tests: certificates of a chip, without a signature. */

export const small = (value: number) => (value < 0x80 ? Uint8Array.of(2, 1, value) : Uint8Array.of(2, 2, 0, value))
export const ia5 = (text: string) => Uint8Array.of(0x16, text.length, ...new TextEncoder().encode(text))
export const HWID = new Uint8Array(64).fill(5)

export const MILAN: readonly (readonly [string, Uint8Array])[] = [
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
export const certificate = (extensions: readonly (readonly [string, Uint8Array])[]) => {
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
