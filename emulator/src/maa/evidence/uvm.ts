import { createHash } from 'node:crypto'
import {
  COSE_ALGORITHMS,
  coseAlgorithm,
  decodeUvmEndorsement,
  encodeHex,
  equalBytes,
  matchDidX509,
  type UvmEndorsement,
  WireError,
} from '@skerry/guest/wire'
import type { UvmEndorser } from '../../core/settings.ts'
import { pathFault } from './certificate-path.ts'
import { type ParsedCertificate, readCertificate } from './certificates.ts'
import { allMet, type Check, check, malformed } from './check.ts'
import { isSignedByKey } from './cose-signature.ts'

/** An endorsement whose signature, certificates and headers were looked at, whoever made it. */
export interface ReadEndorsement {
  readonly checks: readonly Check[]
  readonly endorsement?: UvmEndorsement
}

const FORM = 'a COSE_Sign1 UVM endorsement'
const FORM_HINT = 'send the decoded content of reference-info-base64 of the security context'

/**
 * Verifies an endorsement by itself: algorithm, signature, chain, and that its issuer's DID names that chain. The
 * certificates' dates are compared with the signing time and not with today: an endorsement outlives its certificates.
 */
export async function readEndorsement(cose: Uint8Array): Promise<ReadEndorsement> {
  let endorsement: UvmEndorsement
  let chain: ParsedCertificate[]
  try {
    endorsement = decodeUvmEndorsement(cose)
    chain = endorsement.x5chain.map(readCertificate)
  } catch (error) {
    if (error instanceof WireError) return { checks: [malformed('uvm', FORM, error, FORM_HINT)] }
    return { checks: [check('uvm', FORM, 'an x5chain entry that is not a certificate', false, FORM_HINT)] }
  }
  const checks = [
    checkAlgorithm(endorsement),
    checkChain(chain),
    checkSignature(endorsement, chain),
    checkThumbprint(endorsement),
    ...checkSigningTime(endorsement, chain),
    await checkDid(endorsement),
  ]
  return { checks, endorsement }
}

export interface EndorsedImage {
  readonly checks: readonly Check[]
  /** The endorsement of the launched image: everything about it was as it must be. */
  readonly endorsement?: UvmEndorsement
}

/**
 * Whether endorsements are of trusted pairs of issuer and feed, new enough, and one of them of the launched image.
 * @param measurement of the report; undefined when that cannot be read
 */
export function judgeEndorsements(
  readings: readonly ReadEndorsement[],
  trusted: readonly UvmEndorser[],
  measurement: Uint8Array | undefined,
): EndorsedImage {
  const judged = readings.map((reading) => ({
    ...reading,
    checks: [...reading.checks, ...checkEndorser(reading, trusted)],
  }))
  const checks = judged.flatMap((one) => one.checks)
  const decoded = judged.flatMap(({ endorsement }) => (endorsement === undefined ? [] : [endorsement]))
  if (measurement === undefined || decoded.length === 0) return { checks }
  checks.push(checkMeasurement(decoded, measurement))
  const launched = judged.find(
    (one) =>
      allMet(one.checks) && one.endorsement !== undefined && equalBytes(one.endorsement.launchMeasurement, measurement),
  )
  return { checks, ...(launched?.endorsement !== undefined && { endorsement: launched.endorsement }) }
}

function checkEndorser({ endorsement }: ReadEndorsement, trusted: readonly UvmEndorser[]): Check[] {
  if (endorsement === undefined) return []
  const { issuer, feed } = endorsement
  return [
    checkTrust('uvm.issuer', issuer, unique(trusted.map((pair) => pair.issuer))),
    checkTrust('uvm.feed', feed, trustedFeeds(trusted, issuer)),
    ...checkSvn(endorsement, trusted),
  ]
}

/** The endorsed image is the one that was launched. */
function checkMeasurement(endorsements: readonly UvmEndorsement[], measurement: Uint8Array): Check {
  const wanted = encodeHex(measurement)
  const found = endorsements.map(({ launchMeasurement }) => encodeHex(launchMeasurement))
  const met = endorsements.some(({ launchMeasurement }) => equalBytes(launchMeasurement, measurement))
  const hint = 'the endorsement is of another utility VM image than the report: send the one of this container'
  return check('uvm.launchMeasurement', wanted, met ? wanted : found, met, hint)
}

function checkAlgorithm({ alg }: UvmEndorsement): Check {
  const wanted = Object.values(COSE_ALGORITHMS).map(({ name }) => name)
  const found = coseAlgorithm(alg)?.name
  return check('uvm.alg', wanted, found ?? alg, found !== undefined, 'endorsements are signed with PS384')
}

function checkSignature(endorsement: UvmEndorsement, chain: readonly ParsedCertificate[]): Check {
  const wanted = "a signature by the key of the endorsement's leaf certificate"
  // Of an unknown algorithm there is nothing to say; its own check does.
  const met = coseAlgorithm(endorsement.alg) === undefined || isSignedByKey(endorsement, chain[0]!.publicKey)
  return check(
    'uvm.signature',
    wanted,
    met ? wanted : 'a signature that does not verify',
    met,
    'the endorsement was altered',
  )
}

function checkChain(chain: readonly ParsedCertificate[]): Check {
  const wanted = 'at least two certificates, leaf first, each signed by the next, the last self-signed'
  const fault = pathFault(chain)
  return check(
    'uvm.x5chain',
    wanted,
    fault ?? wanted,
    fault === undefined,
    'the certificates of the endorsement do not form a chain',
  )
}

/** RFC 9360: where x5t is there, it is the digest of the certificate whose key signed. */
function checkThumbprint({ x5t, x5chain }: UvmEndorsement): Check {
  const found = x5t && createHash(x5t.digest).update(x5chain[0]!).digest('hex')
  const wanted = x5t && encodeHex(x5t.value)
  const hint = 'the thumbprint (x5t) is of another certificate than the leaf'
  return check('uvm.x5t', wanted ?? 'absent', found ?? 'absent', wanted === found, hint)
}

async function checkDid({ issuer, x5chain }: UvmEndorsement): Promise<Check> {
  const wanted = 'an issuer DID that names this chain'
  const hint = 'the did:x509 of the endorsement and its certificates do not belong together'
  try {
    await matchDidX509(issuer, x5chain)
    return check('uvm.did', wanted, wanted, true, hint)
  } catch (error) {
    return malformed('uvm.did', wanted, error, hint)
  }
}

function checkTrust(name: string, found: string, trusted: readonly string[]): Check {
  const hint = 'this provider trusts other endorsers: an emulator its own, Azure Microsoft'
  return check(name, trusted.length === 1 ? trusted[0] : trusted, found, trusted.includes(found), hint)
}

/** Only where a least version was set for that issuer and feed; of several, the least. */
function checkSvn({ issuer, feed, svn }: UvmEndorsement, trusted: readonly UvmEndorser[]): Check[] {
  const pairs = trusted.filter((pair) => pair.issuer === issuer && pair.feed === feed)
  const least = Math.min(...pairs.map(({ minimumSvn = 0 }) => minimumSvn))
  if (pairs.length === 0 || least === 0) return []
  const hint = 'the endorsed image is older than this provider takes: redeploy onto a host with a newer utility VM'
  return [check('uvm.svn', `at least ${least}`, Number(svn), Number(svn) >= least, hint)]
}

/** Only where the headers tell the time: then every certificate was valid at it. */
function checkSigningTime({ signedAt }: UvmEndorsement, chain: readonly ParsedCertificate[]): Check[] {
  if (signedAt === undefined) return []
  const at = signedAt * 1000
  const outside = chain.filter(({ x509 }) => !(at >= x509.validFromDate.getTime() && at <= x509.validToDate.getTime()))
  const dates = outside.map(({ commonName, x509 }) => `${commonName}: ${x509.validFrom} to ${x509.validTo}`)
  const wanted = `certificates that were valid at ${isoTime(at)}, the signing time`
  const hint = "the endorsement says that it was signed when its signer's certificates were not valid"
  return [
    check('uvm.signingTime', wanted, outside.length === 0 ? wanted : dates.join('; '), outside.length === 0, hint),
  ]
}

/** Any number may stand in a header, also one that no calendar has. */
function isoTime(ms: number): string {
  const time = new Date(ms)
  return Number.isNaN(time.getTime()) ? `${ms} ms after the epoch` : time.toISOString()
}

/** The feeds of that issuer; of all, when it is no trusted one (its own check says so). */
function trustedFeeds(trusted: readonly UvmEndorser[], issuer: string): string[] {
  const own = trusted.filter((pair) => pair.issuer === issuer)
  return unique((own.length > 0 ? own : trusted).map(({ feed }) => feed))
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)]
}
