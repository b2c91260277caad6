import type { KeyObject } from 'node:crypto'
import { p256, p384, p521 } from '@noble/curves/nist.js'
import { secp256k1 } from '@noble/curves/secp256k1.js'

/*
 * ECDSA over a digest that the caller made. Node's API signs only messages that it hashes itself, so this is the one
 * place where a key's arithmetic is not OpenSSL's. Signatures are r followed by s (RFC 7518 section 3.4).
 */

const CURVES = { 'P-256': p256, 'P-384': p384, 'P-521': p521, secp256k1 }

export interface EcAlgorithm {
  readonly curve: keyof typeof CURVES
  /** Bytes of the digest. */
  readonly digestSize: number
}

export const EC_ALGORITHMS: Readonly<Record<string, EcAlgorithm>> = {
  ES256: { curve: 'P-256', digestSize: 32 },
  ES384: { curve: 'P-384', digestSize: 48 },
  ES512: { curve: 'P-521', digestSize: 64 },
  ES256K: { curve: 'secp256k1', digestSize: 32 },
}

export function curveOf(key: KeyObject): string | undefined {
  const crv = key.export({ format: 'jwk' }).crv
  return crv
}

export function signEcdsa(algorithm: EcAlgorithm, privateKey: KeyObject, digest: Uint8Array): Uint8Array {
  const scalar = Buffer.from(privateKey.export({ format: 'jwk' }).d!, 'base64url')
  try {
    return CURVES[algorithm.curve].sign(digest, scalar, { prehash: false, lowS: false, format: 'compact' })
  } finally {
    scalar.fill(0)
  }
}

export function verifyEcdsa(
  algorithm: EcAlgorithm,
  publicKey: KeyObject,
  digest: Uint8Array,
  signature: Uint8Array,
): boolean {
  const { x, y } = publicKey.export({ format: 'jwk' })
  const point = Buffer.concat([Buffer.from([4]), Buffer.from(x!, 'base64url'), Buffer.from(y!, 'base64url')])
  try {
    // OpenSSL and HSMs give either half of s; a verifier takes both.
    const options = { prehash: false, lowS: false, format: 'compact' } as const
    return CURVES[algorithm.curve].verify(signature, digest, point, options)
  } catch {
    return false
  }
}
