import { type KeyObject, sign, verify } from 'node:crypto'

/*
 * RS256 in the compact form of a JWS (RFC 7515 section 7.1, RFC 7518 section 3.3), in the thread that asks for it. Web
 * cryptography, by which libraries sign, hands each signature to another thread and back: that costs half as much again as
 * the signature, and five times as much as to verify one.
 */

/** A protected header in base64url. `alg` must be RS256. */
export function encodeJwsHeader(header: { readonly alg: 'RS256' }): string {
  return Buffer.from(JSON.stringify(header), 'utf8').toString('base64url')
}

/** @param header of `encodeJwsHeader` */
export function signJws(header: string, payload: string, privateKey: KeyObject): string {
  const input = `${header}.${Buffer.from(payload, 'utf8').toString('base64url')}`
  return `${input}.${sign('sha256', Buffer.from(input, 'latin1'), privateKey).toString('base64url')}`
}

/**
 * Whether the signature of a JWS of three parts is that of an RSA key, by RS256 and nothing else: what the header says of
 * itself is for the caller to look at.
 */
export function verifiesJws(jws: string, publicKey: KeyObject): boolean {
  const end = jws.lastIndexOf('.')
  const signature = jws.slice(end + 1)
  // A rest of one character is no byte; Node leaves it out.
  if (end < 0 || publicKey.asymmetricKeyType !== 'rsa' || signature.length % 4 === 1) return false
  return verify('sha256', Buffer.from(jws.slice(0, end), 'utf8'), publicKey, Buffer.from(signature, 'base64url'))
}
