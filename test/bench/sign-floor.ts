import { generateKeyPairSync, privateEncrypt, randomBytes } from 'node:crypto'

/** The DER head of a SHA-256 digest's DigestInfo (RFC 8017 section 9.2, note 1). */
export const DIGEST_INFO_SHA256 = Buffer.from('3031300d060960864801650304020105000420', 'hex')

const BATCHES = 15
const BATCH = 100

/**
 * RS256 with RSA-2048 over a digest, bare: Node's OpenSSL, one thread, key loaded. Milliseconds of one, in the batch that
 * nothing else on the machine disturbed most.
 */
export function measureSignFloor(): number {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const info = Buffer.concat([DIGEST_INFO_SHA256, randomBytes(32)])
  const batch = () => {
    const begun = performance.now()
    for (let at = 0; at < BATCH; at += 1) privateEncrypt(privateKey, info)
    return (performance.now() - begun) / BATCH
  }
  batch()
  return Math.min(...Array.from({ length: BATCHES }, batch))
}
