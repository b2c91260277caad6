import { AsnConvert } from '@peculiar/asn1-schema'
import { BasicConstraints, Certificate } from '@peculiar/asn1-x509'
import { isSignedBy, namesIssuer, type ParsedCertificate } from './certificates.ts'

const BASIC_CONSTRAINTS = '2.5.29.19'

/**
 * Why these certificates are not a path from a leaf to a self-signed root (RFC 5280, 6.1): links, CA flags, path
 * lengths. Undefined: they are one. Dates are not looked at, and name constraints are not evaluated.
 * @param path leaf first, root last, nothing spare
 */
export function pathFault(path: readonly ParsedCertificate[]): string | undefined {
  if (path.length < 2) return `${path.length} certificate`
  for (const [index, certificate] of path.entries()) {
    const issuer = path[index + 1] ?? certificate
    if (!namesIssuer(certificate, issuer)) {
      return `${certificate.commonName} does not name ${issuer.commonName} as its issuer`
    }
    if (!isSignedBy(certificate, issuer)) return `${certificate.commonName} is not signed by ${issuer.commonName}`
    if (!issuer.x509.ca) return `${issuer.commonName} is not a certificate authority`
    // Between an issuer and the leaf stand `index` further authorities.
    if (index + 1 < path.length && index > (pathLengthOf(issuer) ?? index)) {
      return `${issuer.commonName} allows fewer authorities below it`
    }
  }
  return undefined
}

function pathLengthOf({ der }: ParsedCertificate): number | undefined {
  const { extensions } = AsnConvert.parse(der as Uint8Array<ArrayBuffer>, Certificate).tbsCertificate
  const extension = extensions?.find(({ extnID }) => extnID === BASIC_CONSTRAINTS)
  return extension === undefined ? undefined : AsnConvert.parse(extension.extnValue, BasicConstraints).pathLenConstraint
}
