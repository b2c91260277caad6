import { AsnConvert } from '@peculiar/asn1-schema'
import { Certificate, type Extension, type Name } from '@peculiar/asn1-x509'
import { WireError } from './errors.ts'

const COMMON_NAME = '2.5.4.3'

/** @throws WireError `ERR_CERTIFICATE` */
export function parseCertificate(der: Uint8Array): Certificate {
  try {
    return AsnConvert.parse(der as Uint8Array<ArrayBuffer>, Certificate)
  } catch (cause) {
    throw new WireError('ERR_CERTIFICATE', 'not an X.509 certificate in DER', undefined, { cause })
  }
}

/** The common names of subject and issuer; empty where a name has none. */
export function certificateNames(der: Uint8Array): { subject: string; issuer: string } {
  const { tbsCertificate } = parseCertificate(der)
  return { subject: commonName(tbsCertificate.subject), issuer: commonName(tbsCertificate.issuer) }
}

/** Attribute types (dotted OIDs) and values of a name, in order. */
export function nameAttributes(name: Name): { type: string; value: string }[] {
  return [...name].flatMap((relative) => [...relative].map(({ type, value }) => ({ type, value: value.toString() })))
}

export function extensionOf(certificate: Certificate, oid: string): Extension | undefined {
  return certificate.tbsCertificate.extensions?.find((extension) => extension.extnID === oid)
}

function commonName(name: Name): string {
  return nameAttributes(name).find(({ type }) => type === COMMON_NAME)?.value ?? ''
}
