import 'reflect-metadata'
import { createPublicKey, type KeyObject } from 'node:crypto'
import { isIP } from 'node:net'
import { AsnConvert } from '@peculiar/asn1-schema'
import {
  GeneralName,
  GeneralSubtree,
  GeneralSubtrees,
  id_ce_nameConstraints,
  NameConstraints,
} from '@peculiar/asn1-x509'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from '@peculiar/x509'

/*
 * Certificates of RFC 5280. This module loads the X.509 library, which takes longer than a warm start should: it is
 * imported only when a certificate has to be made.
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

/** A CA certificate in DER. Without `issuer` it signs itself. */
export async function mintCa(
  request: CaRequest,
  issuer: Issuer = { name: request.subject, privateKey: request.privateKey },
) {
  const publicKey = createPublicKey(request.privateKey)
  const usages = KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign | KeyUsageFlags.digitalSignature
  return await mint(request, publicKey, issuer, [
    new BasicConstraintsExtension(true, request.pathLength, true),
    new KeyUsagesExtension(usages, true),
    nameConstraints(request.permitted),
  ])
}

/** A TLS server certificate in DER. */
export async function mintLeaf(request: LeafRequest, issuer: Issuer) {
  const encipher = request.publicKey.asymmetricKeyType === 'rsa' ? KeyUsageFlags.keyEncipherment : 0
  const names = request.hostnames.map((name) => ({
    type: isIP(name) ? ('ip' as const) : ('dns' as const),
    value: name,
  }))
  return await mint(request, request.publicKey, issuer, [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature | encipher, true),
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
    new SubjectAlternativeNameExtension(names),
  ])
}

async function mint(
  request: Common & { readonly subject: DistinguishedName },
  publicKey: KeyObject,
  issuer: Issuer,
  extensions: readonly Extension[],
): Promise<Buffer> {
  const spki = await importSpki(publicKey)
  const certificate = await X509CertificateGenerator.create(
    {
      serialNumber: positive(request.serial).toString('hex'),
      subject: jsonName(request.subject),
      issuer: jsonName(issuer.name),
      notBefore: new Date(request.notBefore),
      notAfter: new Date(request.notAfter),
      publicKey: spki,
      signingKey: await importP256(issuer.privateKey),
      signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
      extensions: [
        ...extensions,
        await SubjectKeyIdentifierExtension.create(spki, false, crypto),
        await AuthorityKeyIdentifierExtension.create(
          await importSpki(createPublicKey(issuer.privateKey)),
          false,
          crypto,
        ),
      ],
    },
    crypto,
  )
  return Buffer.from(certificate.rawData)
}

function nameConstraints(permitted: CaRequest['permitted']): Extension {
  const prefixed = (address: string) => `${address}/${isIP(address) === 6 ? 128 : 32}`
  const bases = [
    ...permitted.domains.map((dNSName) => new GeneralName({ dNSName })),
    ...permitted.addresses.map((address) => new GeneralName({ iPAddress: prefixed(address) })),
  ]
  const permittedSubtrees = new GeneralSubtrees(bases.map((base) => new GeneralSubtree({ base })))
  return new Extension(id_ce_nameConstraints, true, AsnConvert.serialize(new NameConstraints({ permittedSubtrees })))
}

function jsonName(name: DistinguishedName) {
  const common = name.commonName === undefined ? [] : [{ CN: [name.commonName] }]
  return [...common, { O: [name.organization] }]
}

/** Section 4.1.2.2: a serial number is positive. The next bit is set so that none starts with a zero byte. */
function positive(serial: Buffer): Buffer {
  const copy = Buffer.from(serial)
  copy[0] = (copy[0]! & 0x7f) | 0x40
  return copy
}

async function importSpki(key: KeyObject) {
  const algorithm =
    key.asymmetricKeyType === 'rsa'
      ? { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
      : { name: 'ECDSA', namedCurve: 'P-256' }
  return await crypto.subtle.importKey('spki', key.export({ type: 'spki', format: 'der' }), algorithm, true, ['verify'])
}

async function importP256(key: KeyObject) {
  const pkcs8 = key.export({ type: 'pkcs8', format: 'der' })
  return await crypto.subtle.importKey('pkcs8', pkcs8, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])
}
