import { createPublicKey, type KeyObject } from 'node:crypto'
import type { Extension } from '@peculiar/asn1-x509'
import { buildCertificate } from '../x509/certificate.ts'
import {
  alternativeNames,
  authorityKeyIdentifier,
  caConstraints,
  extendedKeyUsage,
  keyUsage,
  leafConstraints,
  permittedNames,
  subjectKeyIdentifier,
} from '../x509/extensions.ts'
import { distinguishedName, type NameAttribute } from '../x509/names.ts'

/*
 * The certificates of the emulator's own authority (RFC 5280). This module loads the ASN.1 library, which takes longer
 * than a warm start should: it is imported only when a certificate has to be made.
 */

/** What every certificate has. Dates are milliseconds since the epoch. */
interface Common {
  /** 16 bytes; the sign bit is cleared. */
  readonly serial: Buffer
  readonly notBefore: number
  readonly notAfter: number
}

/** Who signs: an EC P-256 key and the name that stands in its certificate. */
export interface Issuer {
  readonly name: DistinguishedName
  readonly privateKey: KeyObject
}

export interface DistinguishedName {
  readonly commonName?: string
  readonly organization: string
}

export interface CaRequest extends Common {
  readonly subject: DistinguishedName
  readonly privateKey: KeyObject
  readonly pathLength: number
  /** Host names (with everything below them) and addresses it may sign for: a critical name constraint (section 4.2.1.10). */
  readonly permitted: { readonly domains: readonly string[]; readonly addresses: readonly string[] }
}

export interface LeafRequest extends Common {
  readonly subject: DistinguishedName
  readonly publicKey: KeyObject
  /** Host names and IP addresses: the subject alternative names. */
  readonly hostnames: readonly string[]
}

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'

/** A CA certificate in DER. Without `issuer` it signs itself. */
export function mintCa(
  request: CaRequest,
  issuer: Issuer = { name: request.subject, privateKey: request.privateKey },
): Buffer {
  const { domains, addresses } = request.permitted
  return mint(request, createPublicKey(request.privateKey), issuer, [
    caConstraints(request.pathLength),
    keyUsage('keyCertSign', 'cRLSign', 'digitalSignature'),
    permittedNames(domains, addresses),
  ])
}

/** A TLS server certificate in DER. */
export function mintLeaf(request: LeafRequest, issuer: Issuer): Buffer {
  const enciphers = request.publicKey.asymmetricKeyType === 'rsa'
  return mint(request, request.publicKey, issuer, [
    leafConstraints(),
    enciphers ? keyUsage('digitalSignature', 'keyEncipherment') : keyUsage('digitalSignature'),
    extendedKeyUsage(SERVER_AUTH),
    alternativeNames(request.hostnames),
  ])
}

function mint(
  request: Common & { readonly subject: DistinguishedName },
  publicKey: KeyObject,
  issuer: Issuer,
  extensions: readonly Extension[],
): Buffer {
  return buildCertificate(
    {
      serial: positive(request.serial),
      subject: nameOf(request.subject),
      issuer: nameOf(issuer.name),
      notBefore: new Date(request.notBefore),
      notAfter: new Date(request.notAfter),
      publicKey,
      extensions: [
        ...extensions,
        subjectKeyIdentifier(publicKey),
        authorityKeyIdentifier(createPublicKey(issuer.privateKey)),
      ],
    },
    issuer.privateKey,
    'ecdsa-sha256',
  )
}

function nameOf({ commonName, organization }: DistinguishedName) {
  const common: NameAttribute[] = commonName === undefined ? [] : [['CN', commonName]]
  return distinguishedName([...common, ['O', organization]])
}

/** Section 4.1.2.2: a serial number is positive. The next bit is set so that none starts with a zero byte. */
function positive(serial: Buffer): bigint {
  const copy = Buffer.from(serial)
  copy[0] = (copy[0]! & 0x7f) | 0x40
  return BigInt(`0x${copy.toString('hex')}`)
}
