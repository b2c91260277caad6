import { constants, type KeyObject, verify, X509Certificate } from 'node:crypto'
import { decodeBase64, decodeBase64Url, decodeUtf8, derToPem } from '../wire/index.ts'
import { type ChainOptions, verifyChain } from './chain.ts'
import { KeyReleaseError } from './errors.ts'

/** RFC 7518: the RSA signatures. The key of a vault's certificate is RSA, and nothing else is accepted. */
const ALGORITHMS: Readonly<Record<string, { readonly hash: string; readonly pss: boolean }>> = {
  RS256: { hash: 'sha256', pss: false },
  RS384: { hash: 'sha384', pss: false },
  RS512: { hash: 'sha512', pss: false },
  PS256: { hash: 'sha256', pss: true },
  PS384: { hash: 'sha384', pss: true },
  PS512: { hash: 'sha512', pss: true },
}

/** What today's public CAs issue; the sidecar's clients see RSA-2048. */
const SMALLEST_MODULUS_BITS = 2048

/**
 * Verifies a vault's answer: a compact JWS (RFC 7515) whose `x5c` leads from the vault's own TLS certificate to a trusted
 * root. The chain is checked before the signature, and nothing of the payload is looked at before both.
 * @returns the parsed payload
 * @throws KeyReleaseError
 */
export function verifyReleaseJws(jws: string, options: ChainOptions): unknown {
  const parts = jws.split('.')
  const [protectedHeader = '', payload = '', signature = ''] = parts
  if (parts.length !== 3) throw new KeyReleaseError('ERR_RELEASE_JWS', 'the answer is not a JWS in compact form')
  const header = parseJson(protectedHeader, 'header') as { alg?: unknown; x5c?: unknown; crit?: unknown } | null
  if (header?.crit !== undefined)
    throw new KeyReleaseError('ERR_RELEASE_JWS', 'the JWS demands an extension that is not understood (crit)')
  const algorithm =
    typeof header?.alg === 'string' && Object.hasOwn(ALGORITHMS, header.alg) ? ALGORITHMS[header.alg] : undefined
  if (algorithm === undefined)
    throw new KeyReleaseError(
      'ERR_RELEASE_ALGORITHM',
      `the JWS is signed with ${describe(header?.alg)}; allowed are ${Object.keys(ALGORITHMS).join(', ')}`,
    )
  const [leaf, ...others] = readChain(header?.x5c)
  if (leaf === undefined) throw new KeyReleaseError('ERR_RELEASE_JWS', 'the x5c of the JWS is empty')
  requireRsa(leaf)
  verifyChain(leaf, others, options)
  const key = rsaKeyOf(leaf)
  const padding = algorithm.pss
    ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
    : { padding: constants.RSA_PKCS1_PADDING }
  const signed = Buffer.from(`${protectedHeader}.${payload}`, 'ascii')
  if (!verify(algorithm.hash, signed, { key, ...padding }, decode(signature, 'signature'))) {
    throw new KeyReleaseError('ERR_RELEASE_SIGNATURE', 'the signature of the JWS does not verify')
  }
  return parseJson(payload, 'payload')
}

function requireRsa({ publicKey }: X509Certificate): void {
  if (publicKey.asymmetricKeyType !== 'rsa')
    throw new KeyReleaseError(
      'ERR_RELEASE_JWS',
      `the signing certificate has an ${publicKey.asymmetricKeyType} key; a vault's is RSA`,
    )
}

/** Of a certificate that a trusted root vouches for: a huge key's details would leave an error in OpenSSL's queue. */
function rsaKeyOf(leaf: X509Certificate): KeyObject {
  const key = leaf.publicKey
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0
  if (bits < SMALLEST_MODULUS_BITS)
    throw new KeyReleaseError('ERR_RELEASE_JWS', `the signing certificate has an RSA key of ${bits} bits`)
  return key
}

/**
 * What the last few chains were read as, by their text: a vault sends the same one with every key. Only the reading is
 * kept; a chain is verified each time.
 */
const chains = new Map<string, readonly X509Certificate[]>()
const CHAINS_KEPT = 4

/** Given as PEM: Node takes a PEM block inside DER bytes for the certificate itself. */
function readCertificate(der: Uint8Array): X509Certificate {
  const certificate = new X509Certificate(derToPem(der))
  if (!certificate.raw.equals(der)) throw new Error('bytes follow the certificate')
  return certificate
}

function readChain(x5c: unknown): readonly X509Certificate[] {
  if (!Array.isArray(x5c)) throw new KeyReleaseError('ERR_RELEASE_JWS', 'the JWS has no certificate chain (x5c)')
  const entries = x5c.map(String)
  const text = JSON.stringify(entries)
  const chain =
    chains.get(text) ??
    entries.map((entry, index) => {
      try {
        return readCertificate(decodeBase64(entry))
      } catch (cause) {
        throw new KeyReleaseError('ERR_RELEASE_JWS', `x5c[${index}] of the JWS is not a certificate in base64`, cause)
      }
    })
  chains.delete(text)
  chains.set(text, chain)
  const [oldest] = chains.keys()
  if (chains.size > CHAINS_KEPT && oldest !== undefined) chains.delete(oldest)
  return chain
}

function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(decodeUtf8(decode(text, what)))
  } catch (cause) {
    if (cause instanceof KeyReleaseError) throw cause
    throw new KeyReleaseError('ERR_RELEASE_JWS', `the ${what} of the JWS is not JSON`, cause)
  }
}

function decode(text: string, what: string): Uint8Array {
  try {
    return decodeBase64Url(text)
  } catch (cause) {
    throw new KeyReleaseError('ERR_RELEASE_JWS', `the ${what} of the JWS is not base64url`, cause)
  }
}

function describe(alg: unknown): string {
  return typeof alg === 'string' && /^[\w-]{1,20}$/.test(alg) ? alg : 'no algorithm that has a name'
}
