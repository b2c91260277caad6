import { constants, verify } from 'node:crypto'
import {
  COSE_ALG_PS384,
  decodeUvmEndorsement,
  encodeHex,
  encodeSigStructure,
  equalBytes,
  matchDidX509,
  type UvmEndorsement,
  WireError,
} from '@skerry/guest/wire'
import { pathFault } from './certificate-path.ts'
import { type ParsedCertificate, readCertificate } from './certificates.ts'
import { allMet, type Check, check, malformed } from './check.ts'

/** Who may endorse a utility VM image, and under which feed. */
export interface UvmTrust {
  /** did:x509. */
  readonly issuer: string
  readonly feed: string
}

export interface VerifiedEndorsement {
  /** Every check but the measurement, which depends on the report. */
  readonly checks: readonly Check[]
  readonly endorsement?: UvmEndorsement
}

const FORM = 'a COSE_Sign1 UVM endorsement'
const FORM_HINT = 'send the decoded content of reference-info-base64 of the security context'

/**
 * Verifies an endorsement: signature, chain, and that issuer and feed are a trusted pair. The certificates' dates are
 * not compared with today: an endorsement outlives its certificates.
 */
export async function verifyEndorsement(cose: Uint8Array, trusted: readonly UvmTrust[]): Promise<VerifiedEndorsement> {
  let endorsement: UvmEndorsement
  let chain: ParsedCertificate[]
  try {
    endorsement = decodeUvmEndorsement(cose)
    chain = endorsement.x5chain.map(readCertificate)
  } catch (error) {
    if (error instanceof WireError) return { checks: [malformed('uvm', FORM, error, FORM_HINT)] }
    return { checks: [check('uvm', FORM, 'an x5chain entry that is not a certificate', false, FORM_HINT)] }
  }
  const { issuer, feed } = endorsement
  const checks = [
    check(
      'uvm.alg',
      COSE_ALG_PS384,
      endorsement.alg,
      endorsement.alg === COSE_ALG_PS384,
      'endorsements are signed with PS384',
    ),
    checkSignature(endorsement, chain),
    checkChain(chain),
    await checkDid(endorsement),
    checkTrust('uvm.issuer', issuer, unique(trusted.map((pair) => pair.issuer))),
    checkTrust('uvm.feed', feed, trustedFeeds(trusted, issuer)),
  ]
  return { checks, endorsement }
}

/** The endorsed image is the one that was launched. */
export function checkMeasurement(endorsements: readonly UvmEndorsement[], measurement: Uint8Array): Check {
  const wanted = encodeHex(measurement)
  const found = endorsements.map(({ launchMeasurement }) => encodeHex(launchMeasurement))
  const met = endorsements.some(({ launchMeasurement }) => equalBytes(launchMeasurement, measurement))
  const hint = 'the endorsement is of another utility VM image than the report: send the one of this container'
  return check('uvm.launchMeasurement', wanted, met ? wanted : found, met, hint)
}

export function isVerified(verified: VerifiedEndorsement): boolean {
  return verified.endorsement !== undefined && allMet(verified.checks)
}

function checkSignature(endorsement: UvmEndorsement, chain: readonly ParsedCertificate[]): Check {
  const wanted = "a signature by the key of the endorsement's leaf certificate"
  const key = chain[0]!.publicKey
  const signed = encodeSigStructure(endorsement.protectedBytes, endorsement.payload)
  const met =
    key.asymmetricKeyType === 'rsa' &&
    verify('sha384', signed, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 48 }, endorsement.signature)
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

/** The feeds of that issuer; of all, when it is no trusted one (its own check says so). */
function trustedFeeds(trusted: readonly UvmTrust[], issuer: string): string[] {
  const own = trusted.filter((pair) => pair.issuer === issuer)
  return unique((own.length > 0 ? own : trusted).map(({ feed }) => feed))
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)]
}
