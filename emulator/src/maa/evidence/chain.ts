import { isDeepStrictEqual } from 'node:util'
import {
  decodeVcekExtensions,
  pemToDer,
  productOfName,
  type SnpProduct,
  type VcekExtensions,
  WireError,
} from '@skerry/guest/wire'
import { isSignedByAmdProfile, namesIssuer, type ParsedCertificate, spkiSha256 } from './certificates.ts'
import { type Check, check, malformed } from './check.ts'

/*
 * The chain of a report's signing key: VCEK (or VLEK), ASK (or ASVK), ARK.
 * Source: AMD "Versioned Chip Endorsement Key (VCEK) Certificate and KDS Interface Specification" (57230).
 */

export interface EndorsementChain {
  /** Every check but those of root and dates, which depend on who looks and when. */
  readonly checks: readonly Check[]
  /** Leaf, intermediate, root; empty when the text holds no such chain. */
  readonly certificates: readonly ParsedCertificate[]
  /** By the common name of the leaf. */
  readonly signingKey?: 'VCEK' | 'VLEK'
  /** By the common name of the root. */
  readonly product?: SnpProduct
  /** What the leaf says of its chip and TCB. */
  readonly extensions?: VcekExtensions
}

const WANTED_CHAIN = 'three certificates in PEM: VCEK, ASK, ARK'
const CHAIN_HINT = 'send vcekCert and certificateChain of THIM one after the other (vcekCert ends in a newline)'

/** A root key, and the product whose chains it may stand under. */
export interface TrustedRoot {
  readonly product: SnpProduct
  /** SHA-256 of the ARK's SubjectPublicKeyInfo (DER), lower-case hex. */
  readonly arkSpkiSha256: string
}

/** Verifies a chain up to its own root, whoever that is (`checkRoot`). */
export function verifyChain(pemText: string, read: (der: Uint8Array) => ParsedCertificate): EndorsementChain {
  let certificates: ParsedCertificate[]
  let extensions: VcekExtensions
  try {
    const ders = pemToDer(pemText)
    if (ders.length !== 3)
      return broken(check('certificates', WANTED_CHAIN, `${ders.length} certificates`, false, CHAIN_HINT))
    extensions = decodeVcekExtensions(ders[0]!)
    certificates = ders.map(read)
  } catch (error) {
    if (error instanceof WireError) return broken(malformed('certificates', WANTED_CHAIN, error, CHAIN_HINT))
    return broken(check('certificates', WANTED_CHAIN, 'a block that is not an X.509 certificate', false, CHAIN_HINT))
  }
  const [leaf, intermediate, root] = certificates as [ParsedCertificate, ParsedCertificate, ParsedCertificate]
  const product = productOfName(root.commonName)
  const signingKey = leaf.commonName === 'SEV-VCEK' ? 'VCEK' : leaf.commonName === 'SEV-VLEK' ? 'VLEK' : undefined
  const checks = [
    check('certificates', WANTED_CHAIN, WANTED_CHAIN, true, CHAIN_HINT),
    checkNames(leaf, intermediate, root, product, signingKey),
    checkProfile(extensions, product, signingKey),
    checkAuthorities(leaf, intermediate, root),
    checkSignature('certificates.leafSignature', leaf, intermediate),
    checkSignature('certificates.askSignature', intermediate, root),
    checkSignature('certificates.arkSignature', root, root),
  ]
  return {
    checks,
    certificates,
    extensions,
    ...(signingKey !== undefined && { signingKey }),
    ...(product !== undefined && { product }),
  }
}

/** The root is trusted, and for this product. */
export function checkRoot({ certificates, product }: EndorsementChain, trusted: readonly TrustedRoot[]): Check {
  const found = spkiSha256(certificates[2]!.publicKey)
  const wanted = trusted.filter((root) => product === undefined || root.product === product)
  return check(
    'certificates.ark',
    wanted.map(({ arkSpkiSha256 }) => arkSpkiSha256),
    found,
    wanted.some(({ arkSpkiSha256 }) => arkSpkiSha256 === found),
    'the root key is not one that this provider trusts: an emulator trusts its own processor, Azure trusts AMD',
  )
}

/** All three certificates are valid at that time (milliseconds since the epoch). */
export function checkValidity(chain: EndorsementChain, atMs: number): Check {
  const outside = chain.certificates.filter(({ validFrom, validTo }) => atMs < validFrom || atMs > validTo)
  const found = outside.map(
    ({ commonName, x509 }) => `${commonName}: ${x509.validFromDate.toISOString()} to ${x509.validToDate.toISOString()}`,
  )
  const wanted = `valid at ${new Date(atMs).toISOString()}`
  return check(
    'certificates.validity',
    wanted,
    found.length === 0 ? wanted : found.join('; '),
    found.length === 0,
    "fetch the certificates again, and compare this machine's clock with the certificates' dates",
  )
}

function broken(failure: Check): EndorsementChain {
  return { checks: [failure], certificates: [] }
}

function checkNames(
  leaf: ParsedCertificate,
  intermediate: ParsedCertificate,
  root: ParsedCertificate,
  product: SnpProduct | undefined,
  signingKey: 'VCEK' | 'VLEK' | undefined,
): Check {
  const name = product ?? 'Milan'
  const wanted =
    signingKey === 'VLEK' ? `SEV-VLEK, SEV-VLEK-${name}, ARK-${name}` : `SEV-VCEK, SEV-${name}, ARK-${name}`
  const found = [leaf, intermediate, root].map(({ commonName }) => commonName).join(', ')
  const linked = namesIssuer(leaf, intermediate) && namesIssuer(intermediate, root) && namesIssuer(root, root)
  return check(
    'certificates.names',
    wanted,
    found === wanted && !linked ? `${found}, but an issuer name is not the subject above it` : found,
    found === wanted && linked,
    'the chain must belong to one product, in the order VCEK, ASK, ARK',
  )
}

/** AMD 57230: what a VCEK or VLEK of that product says of itself. */
function checkProfile(
  { productName, structureVersion, hwid, cspId, tcb }: VcekExtensions,
  product: SnpProduct = 'Milan',
  signingKey: 'VCEK' | 'VLEK' = 'VCEK',
): Check {
  const turin = product === 'Turin'
  const hwidSize = signingKey === 'VLEK' ? 'absent' : turin ? 8 : 64
  const wanted = { product, structureVersion: turin ? 1 : 0, hwidSize, cspId: signingKey === 'VLEK', fmc: turin }
  const found = {
    product: productOfName(productName) ?? productName,
    structureVersion,
    hwidSize: hwid?.length ?? 'absent',
    cspId: cspId !== undefined,
    fmc: tcb.fmc !== undefined,
  }
  const met = isDeepStrictEqual(found, wanted)
  return check(
    'certificates.profile',
    wanted,
    found,
    met,
    "the leaf's extensions are not those of its kind and product",
  )
}

function checkAuthorities(leaf: ParsedCertificate, intermediate: ParsedCertificate, root: ParsedCertificate): Check {
  const found = { leaf: leaf.x509.ca, ask: intermediate.x509.ca, ark: root.x509.ca }
  return check(
    'certificates.authorities',
    { leaf: false, ask: true, ark: true },
    found,
    !found.leaf && found.ask && found.ark,
    'only ASK and ARK are certificate authorities (basic constraints)',
  )
}

function checkSignature(name: string, certificate: ParsedCertificate, issuer: ParsedCertificate): Check {
  const wanted = `${certificate.commonName} signed by ${issuer.commonName} (RSASSA-PSS, SHA-384)`
  const met = isSignedByAmdProfile(certificate, issuer)
  return check(
    name,
    wanted,
    met ? wanted : 'a signature that does not verify',
    met,
    'the certificate was altered or does not belong to this chain; fetch it again from THIM or KDS',
  )
}
