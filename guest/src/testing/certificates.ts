import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { AsnConvert, OctetString } from '@peculiar/asn1-schema'
import {
  AlgorithmIdentifier,
  AttributeTypeAndValue,
  AttributeValue,
  BasicConstraints,
  Certificate,
  ExtendedKeyUsage,
  Extension,
  Extensions,
  GeneralName,
  GeneralSubtree,
  GeneralSubtrees,
  id_ce_basicConstraints,
  id_ce_extKeyUsage,
  id_ce_nameConstraints,
  id_ce_subjectAltName,
  Name,
  NameConstraints,
  RelativeDistinguishedName,
  SubjectAlternativeName,
  SubjectPublicKeyInfo,
  TBSCertificate,
  Validity,
} from '@peculiar/asn1-x509'
import { derToPem } from '../wire/index.ts'

/** A certificate with its private key, made for a test. */
export interface Issued {
  readonly name: string
  readonly der: Uint8Array
  readonly pem: string
  readonly privateKey: KeyObject
}

export interface CertificateOptions {
  readonly name: string
  /** Absent: signs itself. */
  readonly issuer?: Issued
  /** Default P-256: fast to make. */
  readonly key?: 'ec' | 'rsa' | { readonly publicKey: KeyObject; readonly privateKey: KeyObject }
  readonly ca?: boolean
  readonly pathLength?: number
  readonly dnsNames?: readonly string[]
  /** Extended key usages by OID. Default none. */
  readonly usages?: readonly string[]
  readonly permittedNames?: readonly string[]
  readonly from?: string
  readonly to?: string
  /** Default SHA-256. */
  readonly hash?: 'sha1' | 'sha256'
  /** Further extensions: OID, DER of the value, critical. */
  readonly extensions?: readonly { readonly oid: string; readonly der: Uint8Array; readonly critical?: boolean }[]
}

export const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
export const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'

const ECDSA = { sha1: '1.2.840.10045.4.1', sha256: '1.2.840.10045.4.3.2' }
const RSA = { sha1: '1.2.840.113549.1.1.5', sha256: '1.2.840.113549.1.1.11' }

export function issue(options: CertificateOptions): Issued {
  const {
    name,
    issuer,
    ca = false,
    hash = 'sha256',
    from = '2025-01-01T00:00:00Z',
    to = '2035-01-01T00:00:00Z',
  } = options
  const { publicKey, privateKey } =
    typeof options.key === 'object'
      ? options.key
      : options.key === 'rsa'
        ? generateKeyPairSync('rsa', { modulusLength: 2048 })
        : generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const signer = issuer?.privateKey ?? privateKey
  const algorithm = new AlgorithmIdentifier(
    signer.asymmetricKeyType === 'rsa' ? { algorithm: RSA[hash], parameters: null } : { algorithm: ECDSA[hash] },
  )
  const tbs = new TBSCertificate({
    version: 2,
    serialNumber: arrayBuffer(Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    signature: algorithm,
    issuer: commonName(issuer?.name ?? name),
    validity: new Validity({ notBefore: new Date(from), notAfter: new Date(to) }),
    subject: commonName(name),
    subjectPublicKeyInfo: AsnConvert.parse(publicKey.export({ format: 'der', type: 'spki' }), SubjectPublicKeyInfo),
    extensions: new Extensions(extensionsOf(options, ca)),
  })
  const signature = sign(hash, Buffer.from(AsnConvert.serialize(tbs)), signer)
  const certificate = new Certificate({
    tbsCertificate: tbs,
    signatureAlgorithm: algorithm,
    signatureValue: arrayBuffer(signature),
  })
  const der = new Uint8Array(AsnConvert.serialize(certificate))
  return { name, der, pem: derToPem(der), privateKey }
}

function extensionsOf(options: CertificateOptions, ca: boolean): Extension[] {
  const list: Extension[] = []
  const add = (extnID: string, value: unknown, critical = false) =>
    list.push(new Extension({ extnID, critical, extnValue: new OctetString(AsnConvert.serialize(value)) }))
  if (ca)
    add(
      id_ce_basicConstraints,
      new BasicConstraints({
        cA: true,
        ...(options.pathLength !== undefined && { pathLenConstraint: options.pathLength }),
      }),
      true,
    )
  if (options.dnsNames)
    add(
      id_ce_subjectAltName,
      new SubjectAlternativeName(options.dnsNames.map((dNSName) => new GeneralName({ dNSName }))),
    )
  if (options.usages) add(id_ce_extKeyUsage, new ExtendedKeyUsage([...options.usages]))
  if (options.permittedNames) {
    const subtrees = options.permittedNames.map((dNSName) => new GeneralSubtree({ base: new GeneralName({ dNSName }) }))
    add(id_ce_nameConstraints, new NameConstraints({ permittedSubtrees: new GeneralSubtrees(subtrees) }), true)
  }
  for (const { oid, der, critical = false } of options.extensions ?? [])
    list.push(new Extension({ extnID: oid, critical, extnValue: new OctetString(arrayBuffer(der)) }))
  return list
}

function commonName(text: string): Name {
  return new Name([
    new RelativeDistinguishedName([
      new AttributeTypeAndValue({ type: '2.5.4.3', value: new AttributeValue({ utf8String: text }) }),
    ]),
  ])
}

function arrayBuffer(bytes: Uint8Array): ArrayBuffer {
  return new Uint8Array(bytes).buffer
}
