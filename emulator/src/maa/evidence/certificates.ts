import { constants, hash, type KeyObject, verify, X509Certificate } from 'node:crypto'
import { AsnConvert } from '@peculiar/asn1-schema'
import { Certificate } from '@peculiar/asn1-x509'
import { derToPem, readCertificateParts, WireError } from '@skerry/guest/wire'

const RSASSA_PSS = '1.2.840.113549.1.1.10'

/** A certificate as OpenSSL reads it, and the bytes that its signature covers. */
export interface ParsedCertificate {
  readonly der: Uint8Array
  readonly x509: X509Certificate
  readonly commonName: string
  readonly publicKey: KeyObject
  /** Milliseconds since the epoch. */
  readonly validFrom: number
  readonly validTo: number
  /** The same certificate field by field, read when first asked for. Throws when an inner field is malformed. */
  readonly asn1: () => Certificate
}

/**
 * Node's X509Certificate, when given bytes, looks for a PEM block in them before it reads DER: a certificate that
 * carries another one in PEM (as attestation evidence does) would be taken for that other one. Such a one is given as PEM.
 * @throws when the bytes are not one certificate and nothing else
 */
export function readCertificate(der: Uint8Array): ParsedCertificate {
  const bytes = Buffer.from(der.buffer, der.byteOffset, der.byteLength)
  const x509 = new X509Certificate(bytes.includes('-----BEGIN') ? derToPem(der) : bytes)
  if (!x509.raw.equals(der)) throw new WireError('ERR_CERTIFICATE', 'bytes follow the certificate')
  // Node gives undefined, against its types, for an empty subject.
  const subject: string | undefined = x509.subject
  const commonName = subject?.match(/^CN=(.*)$/m)?.[1] ?? ''
  let parsed: Certificate | undefined
  const asn1 = () => {
    parsed ??= AsnConvert.parse(der as Uint8Array<ArrayBuffer>, Certificate)
    return parsed
  }
  const [validFrom, validTo] = [x509.validFromDate.getTime(), x509.validToDate.getTime()]
  return { der, x509, commonName, publicKey: x509.publicKey, validFrom, validTo, asn1 }
}

const fingerprints = new WeakMap<KeyObject, string>()

/** SHA-256 of the SubjectPublicKeyInfo (DER), lower-case hex: what is pinned, whatever the certificate around it. */
export function spkiSha256(key: KeyObject): string {
  const spki = fingerprints.get(key) ?? hash('sha256', key.export({ type: 'spki', format: 'der' }), 'hex')
  fingerprints.set(key, spki)
  return spki
}

/** Issuer and subject names agree, and so do the key identifiers where both are there. */
export function namesIssuer(certificate: ParsedCertificate, issuer: ParsedCertificate): boolean {
  return certificate.x509.checkIssued(issuer.x509)
}

/** What was found of a certificate under an issuer: all chips have the same two authorities above them. */
const profileFound = new WeakMap<ParsedCertificate, WeakMap<ParsedCertificate, boolean>>()

/** Signed with RSASSA-PSS, SHA-384, MGF1 SHA-384 and a salt of 48 bytes: AMD's profile and nothing else. */
export function isSignedByAmdProfile(certificate: ParsedCertificate, issuer: ParsedCertificate): boolean {
  const found = profileFound.get(certificate) ?? new WeakMap<ParsedCertificate, boolean>()
  const signed = found.get(issuer) ?? verifyAmdProfile(certificate, issuer)
  profileFound.set(certificate, found.set(issuer, signed))
  return signed
}

function verifyAmdProfile(certificate: ParsedCertificate, issuer: ParsedCertificate): boolean {
  const { tbs, signatureAlgorithm, signature } = readCertificateParts(certificate.der)
  if (signatureAlgorithm !== RSASSA_PSS || issuer.publicKey.asymmetricKeyType !== 'rsa') return false
  const key = { key: issuer.publicKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 48 }
  return verify('sha384', tbs, key, signature)
}

/** Signed by the issuer's key, by whatever algorithm the certificate names. */
export function isSignedBy(certificate: ParsedCertificate, issuer: ParsedCertificate): boolean {
  return certificate.x509.verify(issuer.publicKey)
}
