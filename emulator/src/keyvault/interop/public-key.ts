import { createPublicKey, type KeyObject } from 'node:crypto'

interface AnsweredKey {
  readonly kty: string
  readonly n?: string
  readonly e?: string
  readonly crv?: string
  readonly x?: string
  readonly y?: string
}

/** For tests: the public key of a JWK that a vault answered with, whatever it calls the type and the curve. */
export function publicKeyOf({ kty, n, e, crv, x, y }: AnsweredKey): KeyObject {
  const plain = kty.replace('-HSM', '')
  const ec = { crv: crv === 'P-256K' ? 'secp256k1' : crv, x, y }
  const members = Object.entries(plain === 'RSA' ? { n, e } : ec).filter(([, value]) => value !== undefined)
  return createPublicKey({ key: { kty: plain, ...Object.fromEntries(members) }, format: 'jwk' })
}

export const publicKeyPem = (jwk: AnsweredKey): string =>
  publicKeyOf(jwk).export({ type: 'spki', format: 'pem' }) as string
