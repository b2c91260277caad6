import type { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { AsnConvert } from '@peculiar/asn1-schema'
import {
  BasicConstraints,
  Certificate,
  id_ce_basicConstraints,
  id_ce_nameConstraints,
  NameConstraints,
} from '@peculiar/asn1-x509'

/** What a certificate says about its use, and that of a CA about the chains below it (RFC 5280, 4.2.1.9 and 4.2.1.10). */
export interface CertificateLimits {
  /** Why it is of no use to anybody, in words. */
  readonly unfit?: string
  /** Its signature is made with a hash for which another certificate can be found: nobody vouches for it. */
  readonly weaklySigned: boolean
  /** How many further CA certificates may stand between it and the leaf; undefined: any number. */
  readonly pathLength?: number
  /** Why it may not vouch for this host, in words. */
  refusal(hostName: string): string | undefined
}

/** Extensions that are looked at here or by OpenSSL; a critical one beyond them must not be passed over (RFC 5280, 4.2). */
const UNDERSTOOD = new Set([
  id_ce_basicConstraints,
  id_ce_nameConstraints,
  '2.5.29.15', // key usage: OpenSSL's issuer check
  '2.5.29.37', // extended key usage
  '2.5.29.17', // subject alternative name
  '2.5.29.32', // certificate policies: nothing is asked of them
])

/** MD2, MD5 and SHA-1, with RSA; SHA-1 with DSA and ECDSA. OpenSSL takes none of them in TLS either. */
const WEAK_SIGNATURES = new Set([
  '1.2.840.113549.1.1.2',
  '1.2.840.113549.1.1.4',
  '1.2.840.113549.1.1.5',
  '1.2.840.10040.4.3',
  '1.2.840.10045.4.1',
])

const known = new WeakMap<X509Certificate, CertificateLimits>()

export function limitsOf(certificate: X509Certificate): CertificateLimits {
  const limits = known.get(certificate) ?? readLimits(certificate)
  known.set(certificate, limits)
  return limits
}

function readLimits(certificate: X509Certificate): CertificateLimits {
  try {
    return limitsIn(AsnConvert.parse(certificate.raw, Certificate))
  } catch {
    const unfit = 'its extensions cannot be read'
    return { unfit, weaklySigned: true, refusal: () => unfit }
  }
}

function limitsIn({ tbsCertificate, signatureAlgorithm }: Certificate): CertificateLimits {
  const extensions = tbsCertificate.extensions ?? []
  const content = (oid: string) => extensions.find(({ extnID }) => extnID === oid)?.extnValue.buffer
  const unknown = extensions.find(({ critical, extnID }) => critical && !UNDERSTOOD.has(extnID))
  const basic = content(id_ce_basicConstraints)
  const pathLength = basic && AsnConvert.parse(basic, BasicConstraints).pathLenConstraint
  const names = content(id_ce_nameConstraints)
  const constraints = names && AsnConvert.parse(names, NameConstraints)
  const unfit = unknown && `it has a critical extension ${unknown.extnID} that is not understood`
  return {
    ...(unfit !== undefined && { unfit }),
    weaklySigned: WEAK_SIGNATURES.has(signatureAlgorithm.algorithm),
    ...(pathLength !== undefined && { pathLength }),
    refusal: (hostName) => unfit ?? (constraints && nameRefusal(constraints, hostName)),
  }
}

function nameRefusal(constraints: NameConstraints, hostName: string): string | undefined {
  const dnsNames = (subtrees: NameConstraints['permittedSubtrees']) =>
    [...(subtrees ?? [])].flatMap(({ base }) => base.dNSName ?? [])
  const addresses = [...(constraints.permittedSubtrees ?? []), ...(constraints.excludedSubtrees ?? [])].some(
    ({ base }) => base.iPAddress !== undefined,
  )
  if (isIP(hostName) !== 0)
    return addresses ? 'it is limited to certain addresses, which is not supported here' : undefined
  const permitted = dnsNames(constraints.permittedSubtrees)
  if (permitted.length > 0 && !permitted.some((name) => isWithin(hostName, name)))
    return `it may only vouch for ${permitted.join(', ')}`
  const excluded = dnsNames(constraints.excludedSubtrees).find((name) => isWithin(hostName, name))
  return excluded === undefined ? undefined : `it must not vouch for ${excluded || 'any name'}`
}

/** RFC 5280: a name is within a subtree if it is the same or has labels in front of it; the empty subtree is every name. */
function isWithin(hostName: string, subtree: string): boolean {
  const name = hostName.toLowerCase()
  const base = subtree.toLowerCase().replace(/^\./, '')
  return base === '' || (name === base && !subtree.startsWith('.')) || name.endsWith(`.${base}`)
}
