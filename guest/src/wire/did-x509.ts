import { AsnConvert } from '@peculiar/asn1-schema'
import { ExtendedKeyUsage, SubjectAlternativeName } from '@peculiar/asn1-x509'
import { encodeBase64Url } from './bytes.ts'
import { extensionOf, nameAttributes, parseCertificate } from './certificate.ts'
import { WireError } from './errors.ts'

/**
 * did:x509, method version 0: an issuer named by a CA of its chain and by properties of its leaf.
 * Source: Microsoft, "did:x509 Method Specification".
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
  if (base.includes('?')) throw new WireError(CODE, 'DID URL queries are not supported', 'query')
  if (base.includes('/')) throw new WireError(CODE, 'DID URL paths are not supported', 'path')
  const [head = '', ...predicates] = base.split('::')
  const [scheme, method, version, algorithm, fingerprint, ...rest] = head.split(':')
  if (scheme !== 'did' || method !== 'x509' || version !== '0') {
    throw new WireError(CODE, 'the DID does not start with did:x509:0', 'prefix')
  }
  if (algorithm !== 'sha256' && algorithm !== 'sha384' && algorithm !== 'sha512') {
    throw new WireError(CODE, 'the fingerprint algorithm is not sha256, sha384 or sha512', 'algorithm')
  }
  if (fingerprint === undefined || !/^[A-Za-z0-9_-]+$/.test(fingerprint) || rest.length > 0) {
    throw new WireError(CODE, 'the CA fingerprint is not base64url', 'fingerprint')
  }
  if (predicates.length === 0) throw new WireError(CODE, 'the DID has no predicate', 'predicate')
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
  const [leaf, ...authorities] = chainDers
  if (leaf === undefined || authorities.length === 0) {
    throw new WireError(CODE, 'the chain must hold at least two certificates', 'chain')
  }
  const digests = await Promise.all(
    authorities.map((der) => globalThis.crypto.subtle.digest(DIGESTS[algorithm], der as Uint8Array<ArrayBuffer>)),
  )
  if (!digests.some((digest) => encodeBase64Url(new Uint8Array(digest)) === fingerprint)) {
    throw new WireError(CODE, 'the CA fingerprint is that of no certificate above the leaf', 'fingerprint')
  }
  for (const predicate of predicates) matchPredicate(predicate, leaf)
}

function parsePredicate(text: string): DidX509Predicate {
  const [name, ...fields] = text.split(':')
  const values = fields.map(decodePart)
  const [first, second] = values
  if (name === 'eku' && values.length === 1 && /^[0-9]+(?:\.[0-9]+)+$/.test(first!)) return { name, oid: first! }
  if (name === 'fulcio-issuer' && values.length === 1) return { name, value: first! }
  if (name === 'san' && values.length === 2 && (first === 'email' || first === 'dns' || first === 'uri')) {
    return { name, type: first, value: second! }
  }
  if (name === 'subject' && values.length > 0 && values.length % 2 === 0) {
    const attributes = values.flatMap((key, index) => (index % 2 === 0 ? [[key, values[index + 1]!] as const] : []))
    if (new Set(attributes.map(([key]) => attributeType(key))).size !== attributes.length) {
      throw new WireError(CODE, 'the subject predicate names a field twice', 'subject')
    }
    return { name, attributes }
  }
  throw new WireError(CODE, `the predicate ${name} is not known or not well formed`, 'predicate')
}

function matchPredicate(predicate: DidX509Predicate, leafDer: Uint8Array): void {
  const leaf = parseCertificate(leafDer)
  const refuse = (what: string): never => {
    throw new WireError(CODE, `the leaf certificate does not have ${what}`, predicate.name)
  }
  if (predicate.name === 'eku') {
    const extension = extensionOf(leaf, EXTENDED_KEY_USAGE)
    const usages = extension === undefined ? [] : [...AsnConvert.parse(extension.extnValue, ExtendedKeyUsage)]
    if (!usages.includes(predicate.oid)) refuse(`the extended key usage ${predicate.oid}`)
  } else if (predicate.name === 'san') {
    const extension = extensionOf(leaf, SUBJECT_ALTERNATIVE_NAME)
    const names = extension === undefined ? [] : [...AsnConvert.parse(extension.extnValue, SubjectAlternativeName)]
    const field = { email: 'rfc822Name', dns: 'dNSName', uri: 'uniformResourceIdentifier' } as const
    if (!names.some((name) => name[field[predicate.type]] === predicate.value))
      refuse(`the ${predicate.type} name of the DID`)
  } else if (predicate.name === 'subject') {
    const attributes = nameAttributes(leaf.tbsCertificate.subject)
    if (new Set(attributes.map(({ type }) => type)).size !== attributes.length) {
      throw new WireError(CODE, 'the subject of the leaf certificate repeats an attribute type', 'subject')
    }
    for (const [key, value] of predicate.attributes) {
      const type = attributeType(key)
      if (!attributes.some((attribute) => attribute.type === type && attribute.value === value))
        refuse(`the subject ${key} of the DID`)
    }
  } else {
    const extension = extensionOf(leaf, FULCIO_ISSUER)
    const value = extension === undefined ? undefined : new TextDecoder().decode(extension.extnValue.buffer)
    if (extension?.critical || value !== `https://${predicate.value}`) refuse('the Fulcio issuer of the DID')
  }
}

function attributeType(key: string): string {
  const type = ATTRIBUTE_TYPES[key] ?? (/^[0-9]+(?:\.[0-9]+)+$/.test(key) ? key : undefined)
  if (type === undefined) throw new WireError(CODE, `the subject field ${key} is not known`, 'subject')
  return type
}

function decodePart(text: string): string {
  if (!/^(?:[A-Za-z0-9._-]|%[0-9A-Fa-f]{2})+$/.test(text)) {
    throw new WireError(CODE, 'a value of the DID has a character that must be percent-encoded', 'predicate')
  }
  try {
    return decodeURIComponent(text)
  } catch (cause) {
    throw new WireError(CODE, 'a value of the DID is not percent-encoded UTF-8', 'predicate', { cause })
  }
}
