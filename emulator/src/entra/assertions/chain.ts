import type { X509Certificate } from 'node:crypto'

/**
 * Whether the first certificate is issued, over the others in order, by one of the authorities, all of them valid at
 * that time (milliseconds) and every issuer a CA (RFC 5280, section 6, for chains without policies or names constraints).
 */
export function chainToAuthority(
  chain: readonly X509Certificate[],
  authorities: readonly X509Certificate[],
  now: number,
): boolean {
  const [leaf, ...rest] = chain
  if (leaf === undefined || !isValidAt(leaf, now)) return false
  let issued = leaf
  for (;;) {
    const current = issued
    const authority = authorities.find((candidate) => isIssuer(candidate, current))
    if (authority !== undefined) return isValidAt(authority, now)
    const at = rest.findIndex((candidate) => isIssuer(candidate, current))
    const [next] = at < 0 ? [] : rest.splice(at, 1)
    if (next === undefined || !isValidAt(next, now)) return false
    issued = next
  }
}

function isIssuer(candidate: X509Certificate, issued: X509Certificate): boolean {
  return candidate.ca && issued.checkIssued(candidate) && issued.verify(candidate.publicKey)
}

function isValidAt(certificate: X509Certificate, now: number): boolean {
  return certificate.validFromDate.getTime() <= now && now <= certificate.validToDate.getTime()
}
