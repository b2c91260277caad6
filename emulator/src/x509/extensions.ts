import { createHash, type KeyObject } from 'node:crypto'
import { isIP } from 'node:net'
import { AsnConvert, OctetString } from '@peculiar/asn1-schema'
import {
  AuthorityKeyIdentifier,
  BasicConstraints,
  CRLDistributionPoints,
  DistributionPoint,
  DistributionPointName,
  ExtendedKeyUsage,
  Extension,
  GeneralName,
  GeneralSubtree,
  GeneralSubtrees,
  KeyIdentifier,
  KeyUsage,
  KeyUsageFlags,
  NameConstraints,
  SubjectAlternativeName,
  SubjectKeyIdentifier,
  SubjectPublicKeyInfo,
} from '@peculiar/asn1-x509'

const OID = {
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAlternativeName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  crlNumber: '2.5.29.20',
  nameConstraints: '2.5.29.30',
  crlDistributionPoints: '2.5.29.31',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
} as const

/** An extension whose value is these DER (or raw) bytes. */
export function rawExtension(oid: string, value: Uint8Array, critical = false): Extension {
  return new Extension({ extnID: oid, critical, extnValue: new OctetString(value) })
}

function extension(oid: string, value: object, critical = false): Extension {
  return new Extension({ extnID: oid, critical, extnValue: new OctetString(AsnConvert.serialize(value)) })
}

/** `basicConstraints` of a CA, critical. */
export function caConstraints(pathLength?: number): Extension {
  const value = new BasicConstraints(
    pathLength === undefined ? { cA: true } : { cA: true, pathLenConstraint: pathLength },
  )
  return extension(OID.basicConstraints, value, true)
}

/** `basicConstraints` of what is no CA, critical. */
export function leafConstraints(): Extension {
  return extension(OID.basicConstraints, new BasicConstraints(), true)
}

/** `nameConstraints`, critical: host names with everything below them, and single addresses. */
export function permittedNames(domains: readonly string[], addresses: readonly string[]): Extension {
  const bases = [
    ...domains.map((dNSName) => new GeneralName({ dNSName })),
    ...addresses.map((address) => new GeneralName({ iPAddress: `${address}/${isIP(address) === 6 ? 128 : 32}` })),
  ]
  const permittedSubtrees = new GeneralSubtrees(bases.map((base) => new GeneralSubtree({ base })))
  return extension(OID.nameConstraints, new NameConstraints({ permittedSubtrees }), true)
}

/** `subjectAltName` of host names and IP addresses. */
export function alternativeNames(names: readonly string[]): Extension {
  const all = names.map((name) => new GeneralName(isIP(name) ? { iPAddress: name } : { dNSName: name }))
  return extension(OID.subjectAlternativeName, new SubjectAlternativeName(all))
}

/** `keyUsage`, critical. */
export function keyUsage(...uses: readonly (keyof typeof KeyUsageFlags)[]): Extension {
  const bits = uses.reduce((all, use) => all | KeyUsageFlags[use], 0)
  return extension(OID.keyUsage, new KeyUsage(bits), true)
}

export function extendedKeyUsage(...oids: readonly string[]): Extension {
  return extension(OID.extendedKeyUsage, new ExtendedKeyUsage([...oids]))
}

/** RFC 5280 4.2.1.2, method 1: SHA-1 of the key bits. */
export function subjectKeyIdentifier(key: KeyObject): Extension {
  return extension(OID.subjectKeyIdentifier, new SubjectKeyIdentifier(keyIdentifier(key)))
}

export function authorityKeyIdentifier(issuerKey: KeyObject): Extension {
  const value = new AuthorityKeyIdentifier({ keyIdentifier: new KeyIdentifier(keyIdentifier(issuerKey)) })
  return extension(OID.authorityKeyIdentifier, value)
}

export function crlDistributionPoint(uri: string): Extension {
  const name = new DistributionPointName({ fullName: [new GeneralName({ uniformResourceIdentifier: uri })] })
  return extension(
    OID.crlDistributionPoints,
    new CRLDistributionPoints([new DistributionPoint({ distributionPoint: name })]),
  )
}

/** The number of a certificate list; a small one (below 128). */
export function crlNumber(number: number): Extension {
  return rawExtension(OID.crlNumber, Uint8Array.of(0x02, 0x01, number & 0x7f))
}

function keyIdentifier(key: KeyObject): Uint8Array<ArrayBuffer> {
  const spki = AsnConvert.parse(key.export({ type: 'spki', format: 'der' }), SubjectPublicKeyInfo)
  return Uint8Array.from(createHash('sha1').update(new Uint8Array(spki.subjectPublicKey)).digest())
}
