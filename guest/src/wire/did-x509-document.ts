import { AsnConvert } from '@peculiar/asn1-schema'
import { KeyUsage, KeyUsageFlags } from '@peculiar/asn1-x509'
import { extensionOf, parseCertificate } from './certificate.ts'
import { WireError } from './errors.ts'

/** What a did:x509 resolves to. Source: Microsoft, "did:x509 Method Specification"; W3C Controlled Identifiers. */
export interface DidX509Document {
  readonly '@context': 'https://www.w3.org/ns/cid/v1'
  readonly id: string
  readonly verificationMethod: readonly {
    readonly id: string
    readonly type: 'JsonWebKey'
    readonly controller: string
    readonly publicKeyJwk: Readonly<Record<string, string>>
  }[]
  readonly authentication?: readonly string[]
  readonly assertionMethod?: readonly string[]
  readonly keyAgreement?: readonly string[]
}

const KEY_USAGE = '2.5.29.15'

/**
 * The document of a DID that was found to name this leaf.
 * @param publicKeyJwk the leaf's key, public members only
 * @throws WireError `ERR_DID_X509` when the leaf's key may be used for nothing that a DID is for
 */
export function didX509Document(
  did: string,
  leafDer: Uint8Array,
  publicKeyJwk: Readonly<Record<string, string>>,
): DidX509Document {
  const id = did.split('#')[0]!
  const method = `${id}#0`
  const { signs, agrees } = leafUses(leafDer)
  return {
    '@context': 'https://www.w3.org/ns/cid/v1',
    id,
    verificationMethod: [{ id: method, type: 'JsonWebKey', controller: id, publicKeyJwk }],
    ...(signs && { authentication: [method], assertionMethod: [method] }),
    ...(agrees && { keyAgreement: [method] }),
  }
}

/**
 * What the key usage of a leaf lets a DID do; without the extension, everything.
 * @throws WireError `ERR_DID_X509`, `ERR_CERTIFICATE`
 */
export function leafUses(leafDer: Uint8Array): { readonly signs: boolean; readonly agrees: boolean } {
  const extension = extensionOf(parseCertificate(leafDer), KEY_USAGE)
  if (extension === undefined) return { signs: true, agrees: true }
  let flags: number
  try {
    flags = AsnConvert.parse(extension.extnValue, KeyUsage).toNumber()
  } catch (cause) {
    throw new WireError('ERR_CERTIFICATE', 'the key usage is malformed', KEY_USAGE, { cause })
  }
  const signs = (flags & KeyUsageFlags.digitalSignature) !== 0
  const agrees = (flags & KeyUsageFlags.keyAgreement) !== 0
  if (signs || agrees) return { signs, agrees }
  throw new WireError('ERR_DID_X509', 'Leaf certificate key usage does not support DID operations.', 'chain')
}
