import type { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { limitsOf } from './certificate-limits.ts'
import { KeyReleaseError } from './errors.ts'
import type { TrustStore } from './trust-store.ts'

export interface ChainOptions {
  /** The host that must be named, without a port. */
  readonly hostName: string
  readonly trust: TrustStore
  /** Milliseconds since the epoch. */
  readonly nowMs: number
}

/** Extended key usages that a TLS server's certificate may have: serverAuth, or any. */
const SERVER_USAGES = ['1.3.6.1.5.5.7.3.1', '2.5.29.37.0']

/** Cross-certificates make chains longer than they look; loops make them endless. */
const LONGEST_CHAIN = 8

/** Certificates that all name and sign each other make more chains than can be looked at. */
const MOST_SIGNATURE_CHECKS = 100

interface Search extends ChainOptions {
  left: number
}

/**
 * Checks a chain as a TLS client would (RFC 5280, 6.1; RFC 9525): the leaf names the host and may serve, every
 * certificate is valid now, each is signed by the next, every CA may sign and stays within its limits, and the last one
 * is signed by a trusted root. Certificates behind the leaf may come in any order and need not include the root.
 * @throws KeyReleaseError `ERR_RELEASE_CHAIN`, `ERR_RELEASE_HOST_NAME`
 */
export function verifyChain(leaf: X509Certificate, others: readonly X509Certificate[], options: ChainOptions): void {
  const { hostName, nowMs } = options
  const named =
    isIP(hostName) === 0
      ? leaf.checkHost(hostName, { subject: 'never', partialWildcards: false })
      : leaf.checkIP(hostName)
  if (named === undefined)
    throw new KeyReleaseError(
      'ERR_RELEASE_HOST_NAME',
      `the answer is signed by a certificate that does not name ${hostName}`,
    )
  const usages = leaf.keyUsage as readonly string[] | undefined
  if (usages !== undefined && !usages.some((usage) => SERVER_USAGES.includes(usage)))
    refuse('the signing certificate is not for a TLS server')
  requireValid(leaf, nowMs)
  if (!leadsToRoot([leaf], others, { ...options, left: MOST_SIGNATURE_CHECKS }))
    refuse(`no chain leads from the signing certificate (issued by ${oneLine(leaf.issuer)}) to a trusted root`)
  // Now that somebody vouches for it.
  const { unfit } = limitsOf(leaf)
  if (unfit !== undefined) refuse(`the signing certificate is of no use: ${unfit}`)
}

/** Depth first: at each step the trusted roots, then what came with the answer. A candidate that is unfit is passed over. */
function leadsToRoot(chain: readonly X509Certificate[], others: readonly X509Certificate[], options: Search): boolean {
  const last = chain.at(-1)
  if (last === undefined || chain.length >= LONGEST_CHAIN) return false
  if (options.trust.issuersOf(last).some((root) => isIssuer(root, chain, options))) return true
  return others.some(
    (candidate) =>
      !chain.some((certificate) => certificate.raw.equals(candidate.raw)) &&
      isIssuer(candidate, chain, options) &&
      leadsToRoot([...chain, candidate], others, options),
  )
}

function isIssuer(candidate: X509Certificate, chain: readonly X509Certificate[], search: Search): boolean {
  const { hostName, nowMs } = search
  const issued = chain.at(-1)
  if (issued === undefined || !candidate.ca || !isValid(candidate, nowMs) || !issued.checkIssued(candidate))
    return false
  search.left -= 1
  if (search.left < 0) refuse('the certificates of the answer make too many chains')
  if (!issued.verify(candidate.publicKey) || limitsOf(issued).weaklySigned) return false
  const limits = limitsOf(candidate)
  // Between a CA and the leaf stand all certificates of the chain but the leaf; self-issued ones do not count.
  const between = chain.slice(1).filter(({ subject, issuer }) => subject !== issuer).length
  return (limits.pathLength === undefined || between <= limits.pathLength) && limits.refusal(hostName) === undefined
}

function isValid(certificate: X509Certificate, nowMs: number): boolean {
  return Date.parse(certificate.validFrom) <= nowMs && nowMs <= Date.parse(certificate.validTo)
}

function requireValid(certificate: X509Certificate, nowMs: number): void {
  if (isValid(certificate, nowMs)) return
  refuse(
    `the signing certificate is valid from ${certificate.validFrom} to ${certificate.validTo}, not at ${new Date(nowMs).toISOString()}`,
  )
}

function refuse(message: string): never {
  throw new KeyReleaseError('ERR_RELEASE_CHAIN', message)
}

function oneLine(name: string): string {
  return name.split('\n').join(', ')
}
