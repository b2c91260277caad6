import type { KeyObject } from 'node:crypto'
import { type Header, sign, verify } from 'jws'

/*
 * RS256 in the compact form of a JWS (RFC 7515 section 7.1, RFC 7518 section 3.3), in the thread that asks for it. Web
 * cryptography, by which jose signs, hands each signature to another thread and back: that costs half as much again as
 * the signature, and five times as much as to verify one. Where it is not on the way of every release, jose does it.
 */

/** @param header `alg` must be RS256 */
export function signJws(header: Header & { readonly alg: 'RS256' }, payload: string, privateKey: KeyObject): string {
  return sign({ header, payload, privateKey })
}

/**
 * Whether the signature of a JWS of three parts is that of an RSA key, by RS256 and nothing else: what the header says of
 * itself is for the caller to look at.
 */
export function verifiesJws(jws: string, publicKey: KeyObject): boolean {
  const [, , signature, more] = jws.split('.')
  if (signature === undefined || more !== undefined || publicKey.asymmetricKeyType !== 'rsa') return false
  // A rest of one character is no byte; Node leaves it out.
  if (signature.length % 4 === 1) return false
  // It takes key objects; its types are older than they are.
  return verify(jws, 'RS256', publicKey as unknown as Buffer)
}
