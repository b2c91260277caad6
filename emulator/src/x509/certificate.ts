import type { KeyObject } from 'node:crypto'
import { AsnConvert } from '@peculiar/asn1-schema'
import {
  Certificate,
  CertificateList,
  type Extension,
  Extensions,
  type Name,
  RevokedCertificate as RevokedEntry,
  SubjectPublicKeyInfo,
  TBSCertificate,
  TBSCertList,
  Time,
  Validity,
} from '@peculiar/asn1-x509'
import { type CertificateSignature, signatureAlgorithm, signBytes } from './signing.ts'

export interface CertificateContent {
  /** The serial number; 0 is allowed, since AMD's VCEKs have it. */
  readonly serial: bigint
  readonly subject: Name
  readonly issuer: Name
  readonly notBefore: Date
  readonly notAfter: Date
  readonly publicKey: KeyObject
  /** In the order in which they are to stand. Empty: the certificate has none. */
  readonly extensions: readonly Extension[]
}

/** An X.509 v3 certificate (RFC 5280, 4.1) signed by the issuer's key, in DER. */
export function buildCertificate(
  content: CertificateContent,
  issuerKey: KeyObject,
  signature: CertificateSignature,
): Buffer {
  const algorithm = signatureAlgorithm(signature)
  const tbsCertificate = new TBSCertificate({
    version: 2,
    serialNumber: derInteger(content.serial),
    signature: algorithm,
    issuer: content.issuer,
    validity: new Validity({ notBefore: content.notBefore, notAfter: content.notAfter }),
    subject: content.subject,
    subjectPublicKeyInfo: AsnConvert.parse(
      content.publicKey.export({ type: 'spki', format: 'der' }),
      SubjectPublicKeyInfo,
    ),
    ...(content.extensions.length > 0 ? { extensions: new Extensions([...content.extensions]) } : {}),
  })
  const signed = new Uint8Array(AsnConvert.serialize(tbsCertificate))
  const certificate = new Certificate({
    tbsCertificate,
    signatureAlgorithm: algorithm,
    signatureValue: signBytes(signature, signed, issuerKey).buffer,
  })
  return Buffer.from(AsnConvert.serialize(certificate))
}

export interface RevokedCertificate {
  readonly serial: bigint
  readonly at: Date
}

export interface RevocationListContent {
  readonly issuer: Name
  readonly thisUpdate: Date
  readonly nextUpdate: Date
  readonly revoked?: readonly RevokedCertificate[]
  readonly extensions: readonly Extension[]
}

/** A certificate revocation list (RFC 5280, 5.1) in DER. */
export function buildRevocationList(
  content: RevocationListContent,
  issuerKey: KeyObject,
  signature: CertificateSignature,
): Buffer {
  const algorithm = signatureAlgorithm(signature)
  const revoked = content.revoked?.map(
    ({ serial, at }) => new RevokedEntry({ userCertificate: derInteger(serial), revocationDate: new Time(at) }),
  )
  const tbsCertList = new TBSCertList({
    version: 1,
    signature: algorithm,
    issuer: content.issuer,
    thisUpdate: new Time(content.thisUpdate),
    nextUpdate: new Time(content.nextUpdate),
    // RFC 5280, 5.1.2.6: a list of nothing must be absent.
    ...(revoked !== undefined && revoked.length > 0 && { revokedCertificates: revoked }),
    crlExtensions: [...content.extensions],
  })
  const signed = new Uint8Array(AsnConvert.serialize(tbsCertList))
  const list = new CertificateList({
    tbsCertList,
    signatureAlgorithm: algorithm,
    signature: signBytes(signature, signed, issuerKey).buffer,
  })
  return Buffer.from(AsnConvert.serialize(list))
}

/** Content octets of a non-negative INTEGER: big-endian, a zero byte in front where the top bit is set. */
function derInteger(value: bigint): ArrayBuffer {
  const hex = value.toString(16)
  const bytes = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex')
  return (bytes[0]! >= 0x80 ? Uint8Array.of(0, ...bytes) : Uint8Array.from(bytes)).buffer
}
