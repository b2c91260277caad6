import { AsnConvert } from '@peculiar/asn1-schema'
import { BasicConstraints, type Certificate, KeyUsage, KeyUsageFlags } from '@peculiar/asn1-x509'
import { isSignedBy, type ParsedCertificate } from './certificates.ts'
import { nameFault } from './name-constraints.ts'

/*
 * Path validation, RFC 5280 section 6.1, without dates: what is signed by a path outlives its certificates. Policies are
 * not evaluated (an initial policy set of any-policy, with nothing required), as the method of did:x509 has it.
 */

const OID = {
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAlternativeName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  nameConstraints: '2.5.29.30',
  crlDistributionPoints: '2.5.29.31',
  certificatePolicies: '2.5.29.32',
  policyMappings: '2.5.29.33',
  authorityKeyIdentifier: '2.5.29.35',
  policyConstraints: '2.5.29.36',
  extendedKeyUsage: '2.5.29.37',
  inhibitAnyPolicy: '2.5.29.54',
} as const

/** Extensions that may be critical: those that are looked at, and those of policies and lists, which decide nothing here. */
const HANDLED: ReadonlySet<string> = new Set(Object.values(OID))

/**
 * Why these certificates are not a path from a leaf to a self-signed root: links, CA flags, key usages, path lengths, name
 * constraints, unknown critical extensions, signatures. Undefined: they are one. Dates are not looked at.
 * @param path leaf first, root last, nothing spare
 */
export function pathFault(path: readonly ParsedCertificate[]): string | undefined {
  if (path.length < 2) return `${path.length} certificate`
  const built = pathOf(path)
  if (built.at(-1) !== path.at(-1)) return `${built.at(-1)!.commonName} does not name its issuer in this chain`
  if (built.length !== path.length || built.some((certificate, index) => certificate !== path[index])) {
    return 'Supplied chain does not match the verified chain.'
  }
  try {
    return formFault(path) ?? namesFault(path) ?? signatureFault(path)
  } catch {
    return 'a certificate with a malformed extension'
  }
}

/** From the leaf up, by names: which of these certificates issued which. The last one is the anchor, and ends it. */
function pathOf(candidates: readonly ParsedCertificate[]): ParsedCertificate[] {
  const anchor = candidates.at(-1)!
  const built = [candidates[0]!]
  const spare = new Set(candidates.slice(1))
  while (built.at(-1) !== anchor) {
    const issuer = [...spare].find((candidate) => namesAsIssuer(built.at(-1)!, candidate))
    if (issuer === undefined) break
    spare.delete(issuer)
    built.push(issuer)
  }
  return built
}

/** The issuer name is the subject above it. Key usage is a matter of its own: checkIssued would take it in. */
function namesAsIssuer(certificate: ParsedCertificate, issuer: ParsedCertificate): boolean {
  return certificate.x509.issuer === issuer.x509.subject
}

function formFault(path: readonly ParsedCertificate[]): string | undefined {
  const root = path.at(-1)!
  if (!namesAsIssuer(root, root)) return `${root.commonName} is not self-signed`
  // Authorities between the leaf and the one that is looked at; one that issued itself does not count.
  let below = 0
  for (const [index, certificate] of path.entries()) {
    const asn1 = certificate.asn1()
    for (const { extnID, critical } of asn1.tbsCertificate.extensions ?? []) {
      if (critical && !HANDLED.has(extnID)) return 'unhandled critical extension'
    }
    if (index === 0) continue
    const constraints = basicConstraints(asn1)
    if (constraints?.cA !== true || !maySignCertificates(asn1)) return 'invalid CA certificate'
    if (below > (constraints.pathLenConstraint ?? below)) return 'path length constraint exceeded'
    if (!namesAsIssuer(certificate, certificate)) below += 1
  }
  return undefined
}

function namesFault(path: readonly ParsedCertificate[]): string | undefined {
  for (const [index, authority] of path.entries()) {
    for (const [below, certificate] of path.slice(0, index).entries()) {
      const selfIssued = below > 0 && namesAsIssuer(certificate, certificate)
      const fault = selfIssued ? undefined : nameFault(authority.asn1(), certificate.asn1())
      if (fault !== undefined) return fault
    }
  }
  return undefined
}

function signatureFault(path: readonly ParsedCertificate[]): string | undefined {
  const broken = path.some((certificate, index) => !isSignedBy(certificate, path[index + 1] ?? certificate))
  return broken ? 'certificate signature failure' : undefined
}

function basicConstraints(certificate: Certificate): BasicConstraints | undefined {
  const extension = certificate.tbsCertificate.extensions?.find(({ extnID }) => extnID === OID.basicConstraints)
  return extension === undefined ? undefined : AsnConvert.parse(extension.extnValue, BasicConstraints)
}

/** Without the extension a key may be used for anything. */
function maySignCertificates(certificate: Certificate): boolean {
  const extension = certificate.tbsCertificate.extensions?.find(({ extnID }) => extnID === OID.keyUsage)
  if (extension === undefined) return true
  return (AsnConvert.parse(extension.extnValue, KeyUsage).toNumber() & KeyUsageFlags.keyCertSign) !== 0
}
