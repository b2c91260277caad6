import { decodePckExtensions, decodeUtf8, type PckExtensions, pemToDer, WireError } from '@skerry/guest/wire'
import {
  isSignedBy,
  namesIssuer,
  type ParsedCertificate,
  readCertificate,
  spkiSha256,
} from '../evidence/certificates.ts'
import { type Check, check, malformed } from '../evidence/check.ts'
import { SGX_NAMES } from './intel-profile.ts'
import type { SgxTrust, TrustedSgxRoot } from './trust.ts'

/*
 * The chain of the key that signed the quoting enclave's report.
 * Source: Intel "SGX PCK Certificate and Certificate Revocation List Profile Specification".
 */

export interface PckChain {
  /** Every check but those of the root and of the dates: whom one trusts, and when one looks, may change. */
  readonly checks: readonly Check[]
  /** Leaf, its issuer, root; empty when the data holds no such chain. */
  readonly certificates: readonly ParsedCertificate[]
  /** What the leaf says of its platform. */
  readonly extensions?: PckExtensions
}

const WANTED_CHAIN = 'three certificates in PEM: PCK, PCK CA, SGX root'
const CHAIN_HINT = 'send the quote as the quoting library returned it, with certification data of type 5'

/** @param data certification data of type 5: PEM, with or without a zero byte at its end */
export function verifyPckChain(data: Uint8Array): PckChain {
  let certificates: ParsedCertificate[]
  let extensions: PckExtensions
  try {
    const ders = pemToDer(pemText(data))
    if (ders.length !== 3) {
      return broken(check('certificates', WANTED_CHAIN, `${ders.length} certificates`, false, CHAIN_HINT))
    }
    certificates = ders.map(readCertificate)
    extensions = decodePckExtensions(ders[0]!)
  } catch (error) {
    if (error instanceof WireError) return broken(malformed('certificates', WANTED_CHAIN, error, CHAIN_HINT))
    return broken(check('certificates', WANTED_CHAIN, 'a block that is not an X.509 certificate', false, CHAIN_HINT))
  }
  const [leaf, issuer, root] = certificates as [ParsedCertificate, ParsedCertificate, ParsedCertificate]
  return {
    certificates,
    extensions,
    checks: [
      check('certificates', WANTED_CHAIN, WANTED_CHAIN, true, CHAIN_HINT),
      checkNames(leaf, issuer, root),
      checkAuthorities(leaf, issuer, root),
      checkSignature('certificates.leafSignature', leaf, issuer),
      checkSignature('certificates.issuerSignature', issuer, root),
      checkSignature('certificates.rootSignature', root, root),
    ],
  }
}

/** The root of a whole chain, when it is one that is trusted. */
export function findRoot({ certificates }: PckChain, { roots }: SgxTrust): { check: Check; root?: TrustedSgxRoot } {
  const found = spkiSha256(certificates.at(-1)!.publicKey)
  const root = roots.find(({ spkiSha256 }) => spkiSha256 === found)
  const wanted = roots.map(({ spkiSha256 }) => spkiSha256)
  const hint =
    'the root key is not one that this provider trusts: an emulator trusts its own platform, Azure trusts Intel'
  return {
    check: check('certificates.root', wanted, found, root !== undefined, hint),
    ...(root !== undefined && { root }),
  }
}

/** All of these certificates are valid at that time (milliseconds since the epoch). */
export function checkDates(name: string, certificates: readonly ParsedCertificate[], atMs: number): Check {
  const outside = certificates.filter(
    ({ x509 }) => atMs < x509.validFromDate.getTime() || atMs > x509.validToDate.getTime(),
  )
  const found = outside.map(
    ({ commonName, x509 }) => `${commonName}: ${x509.validFromDate.toISOString()} to ${x509.validToDate.toISOString()}`,
  )
  const wanted = `valid at ${new Date(atMs).toISOString()}`
  const hint = "compare this machine's clock with the dates of the certificates"
  return check(name, wanted, found.length === 0 ? wanted : found.join('; '), found.length === 0, hint)
}

/** Signed by the issuer's key, a P-256 one. */
export function checkSignature(name: string, certificate: ParsedCertificate, issuer: ParsedCertificate): Check {
  const wanted = `${certificate.commonName} signed by ${issuer.commonName} (ECDSA P-256)`
  const met = isP256(issuer) && isSignedBy(certificate, issuer)
  const hint = 'the certificate was altered or does not belong to this chain'
  return check(name, wanted, met ? wanted : 'a signature that does not verify', met, hint)
}

/** In this order: asking a huge RSA key for its details leaves an error in OpenSSL's queue. */
export function isP256({ publicKey }: ParsedCertificate): boolean {
  return publicKey.asymmetricKeyType === 'ec' && publicKey.asymmetricKeyDetails?.namedCurve === 'prime256v1'
}

function pemText(data: Uint8Array): string {
  const end = data.at(-1) === 0 ? data.length - 1 : data.length
  return decodeUtf8(data.subarray(0, end))
}

function broken(failure: Check): PckChain {
  return { checks: [failure], certificates: [] }
}

function checkNames(leaf: ParsedCertificate, issuer: ParsedCertificate, root: ParsedCertificate): Check {
  const ca = issuer.commonName === SGX_NAMES.platformCa ? SGX_NAMES.platformCa : SGX_NAMES.processorCa
  const wanted = `${SGX_NAMES.pck}, ${ca}, ${SGX_NAMES.root}`
  const found = [leaf, issuer, root].map(({ commonName }) => commonName).join(', ')
  const linked = namesIssuer(leaf, issuer) && namesIssuer(issuer, root) && namesIssuer(root, root)
  return check(
    'certificates.names',
    wanted,
    found === wanted && !linked ? `${found}, but an issuer name is not the subject above it` : found,
    found === wanted && linked,
    'the chain must be in the order PCK certificate, PCK CA, root',
  )
}

function checkAuthorities(leaf: ParsedCertificate, issuer: ParsedCertificate, root: ParsedCertificate): Check {
  const found = { leaf: leaf.x509.ca, issuer: issuer.x509.ca, root: root.x509.ca }
  return check(
    'certificates.authorities',
    { leaf: false, issuer: true, root: true },
    found,
    !found.leaf && found.issuer && found.root,
    'only the PCK CA and the root are certificate authorities (basic constraints)',
  )
}
