import { createPublicKey, type JsonWebKeyInput, type KeyObject, X509Certificate } from 'node:crypto'
import { derToPem } from '@skerry/guest/wire'

/** An RSA public key of a JWK, or in a few words why there is none. */
export type RsaJwkReading = { readonly key: KeyObject } | { readonly problem: string }

/** DER of the public part of an RSA key of 8192 bits. */
const LARGEST_SPKI = 1_100
/** Characters of `n` and `e` of such a key, with an exponent of ordinary size. */
const LONGEST_MEMBERS = 1_380

/**
 * The public RSA key of a JWK (RFC 7517): of its first certificate if it has any (an attestation service of Azure
 * publishes nothing else), of `n` and `e` otherwise. Where there are both they must be one key (RFC 7517 section 4.7).
 * Certificates are read for their key alone: those of attestation services are self-signed.
 */
export function readRsaJwk(jwk: Readonly<Record<string, unknown>>): RsaJwkReading {
  if (jwk.kty !== 'RSA') return { problem: 'is not an RSA key' }
  const certified = jwk.x5c === undefined ? undefined : certifiedKey(jwk.x5c)
  if (jwk.x5c !== undefined && certified === undefined) return { problem: 'has an x5c that cannot be read' }
  const plain = jwk.n === undefined && jwk.e === undefined ? undefined : plainKey(jwk)
  if (certified === undefined && plain === undefined) return { problem: 'has no n and e that make a key' }
  if (certified !== undefined && jwk.n !== undefined && (plain === undefined || !certified.equals(plain))) {
    return { problem: 'has a certificate of another key than its n and e' }
  }
  const key = certified ?? plain!
  const problem = weakness(key, certified === undefined ? shortModulus(jwk) : undefined)
  return problem === undefined ? { key } : { problem }
}

function certifiedKey(x5c: unknown): KeyObject | undefined {
  const first: unknown = Array.isArray(x5c) ? x5c[0] : undefined
  if (typeof first !== 'string') return undefined
  try {
    // As PEM: a signing certificate of 2021 has other certificates as PEM in its evidence, and Node would read those.
    return new X509Certificate(derToPem(Buffer.from(first, 'base64'))).publicKey
  } catch {
    return undefined
  }
}

function plainKey({ n, e }: Readonly<Record<string, unknown>>): KeyObject | undefined {
  try {
    // Only the public members: a private key that somebody put there is never taken up.
    return createPublicKey({ key: { kty: 'RSA', n, e } as JsonWebKeyInput['key'], format: 'jwk' })
  } catch {
    return undefined
  }
}

/**
 * Why a key hides nothing or cannot be used: an exponent of 1 encrypts to the plaintext itself, an even number belongs to
 * no key, and asking OpenSSL for the details of a huge key leaves an error in its queue, which ends the next key that
 * anybody in this process reads.
 * @param known its modulus, when that is of a key that is not huge: to have OpenSSL write the key takes longer than to read it
 */
function weakness(key: KeyObject, known: Buffer | undefined): string | undefined {
  if (key.asymmetricKeyType !== 'rsa') return 'is not an RSA key'
  const huge = known === undefined && key.export({ type: 'spki', format: 'der' }).length > LARGEST_SPKI
  if (huge) return 'is larger than 8192 bits'
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {}
  if (modulusLength < 2048) return `has ${modulusLength} bits, fewer than 2048`
  const modulus = known ?? Buffer.from(key.export({ format: 'jwk' }).n ?? '', 'base64url')
  if (!isOdd(BigInt(modulus.at(-1) ?? 0))) return 'has an even modulus'
  const usable = isOdd(publicExponent) && publicExponent >= 3n && publicExponent < 1n << 64n
  return usable ? undefined : 'has an exponent that is no exponent of RSA'
}

/** Undefined unless both texts are base64url to the letter, and too short for a huge key. */
function shortModulus({ n, e }: Readonly<Record<string, unknown>>): Buffer | undefined {
  const short = typeof n === 'string' && typeof e === 'string' && n.length + e.length <= LONGEST_MEMBERS
  if (!short || n.length % 4 === 1 || !/^[A-Za-z0-9_-]+$/.test(n)) return undefined
  return Buffer.from(n, 'base64url')
}

const isOdd = (number: bigint) => (number & 1n) === 1n
