import { AsnConvert, type OctetString } from '@peculiar/asn1-schema'
import { ExtendedKeyUsage, type Extension, type GeneralName, SubjectAlternativeName } from '@peculiar/asn1-x509'
import { encodeBase64Url } from './bytes.ts'
import { extensionOf, nameAttributes, parseCertificate } from './certificate.ts'
import { WireError } from './errors.ts'

/**
 * did:x509, method version 0: an issuer named by a CA of its chain and by properties of its leaf.
 * Source: Microsoft, "did:x509 Method Specification"; the messages of refusals are those of its test vectors.
 */
export interface DidX509 {
  readonly algorithm: 'sha256' | 'sha384' | 'sha512'
  /** Base64url (no padding) of the digest of a CA certificate's DER. */
  readonly fingerprint: string
  readonly predicates: readonly DidX509Predicate[]
}

export type DidX509Predicate =
  | { readonly name: 'subject'; readonly attributes: readonly (readonly [key: string, value: string])[] }
  | { readonly name: 'san'; readonly type: 'email' | 'dns' | 'uri'; readonly value: string }
  | { readonly name: 'eku'; readonly oid: string }
  | { readonly name: 'fulcio-issuer'; readonly value: string }

const CODE = 'ERR_DID_X509'
/** Characters; real ones have some hundred. */
const LONGEST_DID = 8192
const DIGESTS = { sha256: 'SHA-256', sha384: 'SHA-384', sha512: 'SHA-512' } as const
const EXTENDED_KEY_USAGE = '2.5.29.37'
const SUBJECT_ALTERNATIVE_NAME = '2.5.29.17'
const FULCIO_ISSUER = '1.3.6.1.4.1.57264.1.1'
const ATTRIBUTE_TYPES: Readonly<Record<string, string>> = {
  CN: '2.5.4.3',
  L: '2.5.4.7',
  ST: '2.5.4.8',
  O: '2.5.4.10',
  OU: '2.5.4.11',
  C: '2.5.4.6',
  STREET: '2.5.4.9',
}

/**
 * Reads a DID; a fragment is stripped, paths and queries are refused.
 * @throws WireError `ERR_DID_X509` (`at` names the part)
 */
export function parseDidX509(did: string): DidX509 {
  const [base = ''] = did.split('#')
  if (base.length > LONGEST_DID) throw new WireError(CODE, 'DID is too long.', 'prefix')
  if (base.includes('?')) throw new WireError(CODE, 'DID URL queries are not supported.', 'query')
  if (base.includes('/')) throw new WireError(CODE, 'DID URL paths are not supported.', 'path')
  const [head = '', ...predicates] = base.split('::')
  const [scheme, method, version, algorithm, fingerprint, ...rest] = head.split(':')
  if (scheme !== 'did' || method !== 'x509' || version !== '0') {
    throw new WireError(CODE, 'DID prefix is invalid.', 'prefix')
  }
  if (algorithm !== 'sha256' && algorithm !== 'sha384' && algorithm !== 'sha512') {
    throw new WireError(CODE, 'Fingerprint algorithm is not supported.', 'algorithm')
  }
  if (fingerprint === undefined || !/^[A-Za-z0-9_-]+$/.test(fingerprint) || rest.length > 0) {
    throw new WireError(CODE, 'CA fingerprint is not base64url.', 'fingerprint')
  }
  if (predicates.length === 0) throw new WireError(CODE, 'DID must contain at least one predicate.', 'predicate')
  return { algorithm, fingerprint, predicates: predicates.map(parsePredicate) }
}

/**
 * Checks that a chain is the one a DID names: the fingerprint is that of a certificate other than the leaf, and every
 * predicate holds for the leaf. The caller verifies the chain itself (signatures, CA flags) beforehand.
 * @param chainDers leaf first
 * @throws WireError `ERR_DID_X509`, `ERR_CERTIFICATE`
 */
export async function matchDidX509(did: string, chainDers: readonly Uint8Array[]): Promise<void> {
  const { algorithm, fingerprint, predicates } = parseDidX509(did)
  const [leafDer, ...authorities] = chainDers
  if (leafDer === undefined || authorities.length === 0) {
    throw new WireError(CODE, 'Certificate chain must contain at least two certificates.', 'chain')
  }
  const digests = await Promise.all(
    authorities.map((der) => globalThis.crypto.subtle.digest(DIGESTS[algorithm], der as Uint8Array<ArrayBuffer>)),
  )
  if (!digests.some((digest) => encodeBase64Url(new Uint8Array(digest)) === fingerprint)) {
    throw new WireError(CODE, 'CA fingerprint does not match the certificate chain.', 'fingerprint')
  }
  const leaf = leafProperties(leafDer)
  for (const predicate of predicates) matchPredicate(predicate, leaf)
}

function parsePredicate(text: string): DidX509Predicate {
  const [name, ...fields] = text.split(':')
  const values = fields.map(decodePart)
  const [first, second] = values
  if (name === 'eku') {
    if (values.length === 1 && isOid(first!)) return { name, oid: first! }
    throw new WireError(CODE, 'EKU predicate requires exactly one OID.', 'predicate')
  }
  if (name === 'fulcio-issuer') {
    if (values.length === 1) return { name, value: first! }
    throw new WireError(CODE, 'Fulcio issuer predicate requires exactly one value.', 'predicate')
  }
  if (name === 'san') {
    if (values.length !== 2)
      throw new WireError(CODE, 'SAN predicate requires exactly one type and value.', 'predicate')
    if (first !== 'email' && first !== 'dns' && first !== 'uri') {
      throw new WireError(CODE, 'SAN predicate contains an unknown type.', 'predicate')
    }
    return { name, type: first, value: second! }
  }
  if (name !== 'subject') throw new WireError(CODE, 'DID contains an unknown predicate.', 'predicate')
  if (values.length === 0 || values.length % 2 !== 0) {
    throw new WireError(CODE, 'Subject predicate requires key-value pairs.', 'predicate')
  }
  const attributes = values.flatMap((key, index) => (index % 2 === 0 ? [[key, values[index + 1]!] as const] : []))
  if (new Set(attributes.map(([key]) => attributeType(key))).size !== attributes.length) {
    throw new WireError(CODE, 'Subject predicate contains duplicate fields.', 'subject')
  }
  return { name, attributes }
}

/** What predicates ask of a leaf. */
interface LeafProperties {
  /** Dotted OID of each attribute type of the subject, with its value. */
  readonly subject: ReadonlyMap<string, string>
  readonly names: readonly { readonly type: 'email' | 'dns' | 'uri' | 'dn'; readonly value: string }[]
  readonly usages?: readonly string[]
  readonly fulcioIssuer?: string
}

function leafProperties(der: Uint8Array): LeafProperties {
  const leaf = parseCertificate(der)
  const attributes = nameAttributes(leaf.tbsCertificate.subject)
  const subject = new Map(attributes.map(({ type, value }) => [type, value]))
  if (subject.size !== attributes.length) {
    throw new WireError(CODE, 'Certificate name contains duplicate attributes.', 'subject')
  }
  const usages = decoded(extensionOf(leaf, EXTENDED_KEY_USAGE), (value) => [
    ...AsnConvert.parse(value, ExtendedKeyUsage),
  ])
  const names = decoded(extensionOf(leaf, SUBJECT_ALTERNATIVE_NAME), (value) => [
    ...AsnConvert.parse(value, SubjectAlternativeName),
  ])
  const fulcio = extensionOf(leaf, FULCIO_ISSUER)
  return {
    subject,
    names: (names ?? []).map(alternativeName),
    ...(usages !== undefined && { usages }),
    ...(fulcio !== undefined && { fulcioIssuer: new TextDecoder().decode(fulcio.extnValue.buffer) }),
  }
}

function alternativeName(name: GeneralName): LeafProperties['names'][number] {
  if (name.rfc822Name !== undefined) return { type: 'email', value: name.rfc822Name }
  if (name.dNSName !== undefined) return { type: 'dns', value: name.dNSName }
  if (name.uniformResourceIdentifier !== undefined) return { type: 'uri', value: name.uniformResourceIdentifier }
  // A directory name is there in Microsoft's certificates; no predicate can ask for it.
  if (name.directoryName !== undefined) return { type: 'dn', value: '' }
  throw new WireError(CODE, 'Certificate contains an unsupported SAN type.', 'san')
}

function matchPredicate(predicate: DidX509Predicate, leaf: LeafProperties): void {
  const refuse = (message: string): never => {
    throw new WireError(CODE, message, predicate.name)
  }
  if (predicate.name === 'eku') {
    if (leaf.usages === undefined) refuse('Certificate does not contain an EKU extension.')
    else if (!leaf.usages.includes(predicate.oid)) refuse('EKU predicate does not match the certificate.')
  } else if (predicate.name === 'san') {
    if (!leaf.names.some(({ type, value }) => type === predicate.type && value === predicate.value)) {
      refuse('SAN predicate does not match the certificate.')
    }
  } else if (predicate.name === 'subject') {
    if (predicate.attributes.some(([key, value]) => leaf.subject.get(attributeType(key)) !== value)) {
      refuse('Subject predicate does not match the certificate.')
    }
  } else if (leaf.fulcioIssuer === undefined) {
    refuse('Certificate does not contain a Fulcio issuer extension.')
  } else if (leaf.fulcioIssuer !== `https://${predicate.value}`) {
    refuse('Fulcio issuer predicate does not match the certificate.')
  }
}

function attributeType(key: string): string {
  const type = Object.hasOwn(ATTRIBUTE_TYPES, key) ? ATTRIBUTE_TYPES[key] : isOid(key) ? key : undefined
  if (type === undefined) throw new WireError(CODE, 'Subject predicate contains an unknown key.', 'subject')
  return type
}

function isOid(text: string): boolean {
  return /^[0-9]+(?:\.[0-9]+)+$/.test(text)
}

function decodePart(text: string): string {
  if (!/^(?:[A-Za-z0-9._-]|%[0-9A-Fa-f]{2})+$/.test(text)) {
    throw new WireError(CODE, 'DID contains a character that must be percent-encoded.', 'predicate')
  }
  try {
    return decodeURIComponent(text)
  } catch (cause) {
    throw new WireError(CODE, 'DID contains a value that is not percent-encoded UTF-8.', 'predicate', { cause })
  }
}

/** @throws WireError `ERR_CERTIFICATE` when the extension does not hold what its type says */
function decoded<Value>(extension: Extension | undefined, parse: (value: OctetString) => Value): Value | undefined {
  if (extension === undefined) return undefined
  try {
    return parse(extension.extnValue)
  } catch (cause) {
    throw new WireError('ERR_CERTIFICATE', `extension ${extension.extnID} is malformed`, extension.extnID, { cause })
  }
}
