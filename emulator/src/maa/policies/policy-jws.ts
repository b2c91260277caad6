import { createHash, type KeyObject, verify, X509Certificate } from 'node:crypto'
import { decodeBase64Url, decodeUtf8, derToPem, encodeBase64 } from '@skerry/guest/wire'
import { badMessage, noSuchIssuer } from '../errors.ts'

/*
 * The JWS (RFC 7515) in which policies and policy signers come. Source: Microsoft Learn, "How to author an attestation
 * policy" and "Policy signer examples"; the algorithm name RSA256 and the header member `jwk.x5c` as recorded of the
 * Python client.
 */

export interface PolicyJws {
  /** Exactly as it was sent. */
  readonly text: string
  readonly header: Readonly<Record<string, unknown>>
  /** Decoded; empty for a reset. */
  readonly payload: string
}

/** Whoever signed, by a certificate that came along; the signature is verified. */
export interface Signer {
  readonly keyType: 'RSA' | 'EC'
  /** The signing certificate, then its issuers, each verified to have signed the one before. */
  readonly chain: readonly X509Certificate[]
}

/** How long a chain may be. */
const LONGEST_CHAIN = 10

/**
 * Reads a JWS, without looking at its signature.
 * @throws AttestationError 400 `InvalidOperation`
 */
export function readPolicyJws(text: string): PolicyJws {
  const parts = text.split('.', 4)
  if (parts.length < 2) throw badMessage('Malformed JWT: Could not find first period in the token.')
  if (parts.length < 3) throw badMessage('Malformed JWT: Could not find second period in the token.')
  if (parts.length > 3) throw badMessage('Malformed JWT: Found more than two periods in the token.')
  const header = jsonObject(decodeText(parts[0]!), 'the JOSE header of the token')
  if (header.alg === 'none' && parts[2] !== '') {
    throw badMessage('Malformed JWT: a token of the algorithm none with a signature.')
  }
  return { text, header, payload: decodeText(parts[1]!) }
}

/**
 * Who signed; undefined for an unsigned JWS.
 * @throws AttestationError 400 `InvalidOperation` for a signature that is not of its certificate; `InvalidParameter` for
 *   a chain of certificates that is none
 */
export function verifySigner({ text, header }: PolicyJws): Signer | undefined {
  const { alg } = header
  if (alg === 'none') return undefined
  const keyType = typeof alg === 'string' && Object.hasOwn(ALGORITHMS, alg) ? ALGORITHMS[alg] : undefined
  if (keyType === undefined)
    throw badMessage(`The algorithm ${JSON.stringify(alg) ?? 'of the token'} is not supported.`)
  const chain = verifyChain(certificatesOf(header))
  const { publicKey } = chain[0]!
  if (publicKey.asymmetricKeyType !== keyType.toLowerCase()) {
    throw badMessage(`The algorithm ${alg} does not fit the key of the certificate.`)
  }
  const end = text.lastIndexOf('.')
  if (!verifies(keyType, publicKey, Buffer.from(text.slice(0, end)), decodeBytes(text.slice(end + 1)))) {
    throw badMessage('The signature of the token does not verify with the key of its certificate.')
  }
  return { keyType, chain }
}

/** RSA256 is no name of JOSE: it means RS256. */
const ALGORITHMS: Readonly<Record<string, Signer['keyType']>> = { RS256: 'RSA', RSA256: 'RSA', ES256: 'EC' }

function verifies(keyType: Signer['keyType'], key: KeyObject, signed: Buffer, signature: Uint8Array): boolean {
  if (keyType === 'RSA') return verify('sha256', signed, key, signature)
  if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') return false
  return verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, signature)
}

function certificatesOf(header: Readonly<Record<string, unknown>>): X509Certificate[] {
  const { jwk } = header
  const inner = typeof jwk === 'object' && jwk !== null ? (jwk as { x5c?: unknown }).x5c : undefined
  return readX5c(header.x5c ?? inner)
}

/** The certificates of a member `x5c` (RFC 7517, 4.7), at least one. */
export function readX5c(x5c: unknown): X509Certificate[] {
  if (!Array.isArray(x5c) || x5c.length === 0) throw badMessage('Could not find "x5c" in the token.')
  if (x5c.length > LONGEST_CHAIN) throw badMessage(`More than ${LONGEST_CHAIN} certificates in "x5c".`)
  return x5c.map((item) => {
    try {
      // As PEM: DER that has PEM somewhere inside is taken for that PEM.
      return new X509Certificate(derToPem(Buffer.from(String(item), 'base64')))
    } catch {
      throw badMessage('A member of "x5c" is not a certificate.')
    }
  })
}

/** Each certificate signed by the next, and the last one a CA that signed itself. */
function verifyChain(chain: X509Certificate[]): X509Certificate[] {
  chain.forEach((certificate, at) => {
    const issuer = chain[at + 1] ?? certificate
    const issued = issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
    if (!issued) throw noSuchIssuer(`Unable to find issuer certificate ${certificate.issuer.replaceAll('\n', ', ')}`)
  })
  return chain
}

/** A JSON object, or a refusal that names what should have been one. */
export function jsonObject(text: string, what: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {
    // Not JSON: as bad as JSON of another kind.
  }
  throw badMessage(`Malformed JWT: ${what} is not a JSON object.`)
}

export function decodeText(encoded: string): string {
  const bytes = decodeBytes(encoded)
  try {
    return decodeUtf8(bytes)
  } catch {
    throw badMessage('Not UTF-8 text.')
  }
}

function decodeBytes(encoded: string): Uint8Array {
  const unknown = /[^A-Za-z0-9_=-]/u.exec(encoded)?.[0]
  if (unknown !== undefined) {
    throw badMessage(`Unknown base64 character: ${unknown.codePointAt(0)?.toString()} ('${unknown}')`)
  }
  try {
    return decodeBase64Url(encoded, { padding: 'allow' })
  } catch {
    throw badMessage('Not base64url.')
  }
}

/** A signer as a JWK; `full` as the answers of management have it, else as the tokens. */
export function signerJwk(signer: Signer, full: boolean): Record<string, unknown> {
  return {
    ...(full && { alg: signer.keyType === 'RSA' ? 'RS256' : 'ES256' }),
    kty: signer.keyType,
    ...(full && { use: 'sig' }),
    x5c: signer.chain.map((certificate) => encodeBase64(certificate.raw)),
  }
}

/** Upper-case hex of SHA-1 over the DER. */
export function thumbprint(certificate: X509Certificate): string {
  return createHash('sha1').update(certificate.raw).digest('hex').toUpperCase()
}
