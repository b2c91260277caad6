import { constants, type KeyObject, verify } from 'node:crypto'
import { type CoseAlgorithm, type CoseSign1, coseAlgorithm, encodeSigStructure } from '@skerry/guest/wire'

/** Bytes of one number of an ECDSA signature, by the curve of the key (RFC 9053, 2.1). */
const COORDINATE: Readonly<Record<string, number>> = { prime256v1: 32, secp384r1: 48, secp521r1: 66 }
/** Bits of an RSA key: RFC 8230 asks for 2048 at least; beyond the highest, somebody wants work done. */
const RSA_BITS = { least: 2048, most: 8192 } as const

/**
 * The signature of a COSE_Sign1 is by this key. False as well for an algorithm that is not taken and for a key of another
 * kind than the algorithm's.
 */
export function isSignedByKey(
  message: Pick<CoseSign1, 'alg' | 'protectedBytes' | 'payload' | 'signature'>,
  key: KeyObject,
): boolean {
  const algorithm = coseAlgorithm(message.alg)
  if (algorithm === undefined) return false
  const signed = encodeSigStructure(message.protectedBytes, message.payload)
  return algorithm.kind === 'ecdsa'
    ? verifyEcdsa(algorithm, signed, key, message.signature)
    : verifyRsaPss(algorithm, signed, key, message.signature)
}

function verifyEcdsa({ hash }: CoseAlgorithm, signed: Uint8Array, key: KeyObject, signature: Uint8Array): boolean {
  if (key.asymmetricKeyType !== 'ec') return false
  const size = COORDINATE[key.asymmetricKeyDetails?.namedCurve ?? '']
  if (size === undefined || signature.length !== 2 * size) return false
  return verify(hash, signed, { key, dsaEncoding: 'ieee-p1363' }, signature)
}

function verifyRsaPss(
  { hash, digestSize }: CoseAlgorithm,
  signed: Uint8Array,
  key: KeyObject,
  signature: Uint8Array,
): boolean {
  if (key.asymmetricKeyType !== 'rsa') return false
  // By the signature's length: asking a huge key for its details leaves an error in OpenSSL's queue.
  if (signature.length * 8 < RSA_BITS.least || signature.length * 8 > RSA_BITS.most) return false
  const padded = { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: digestSize }
  return verify(hash, signed, padded, signature)
}
