import { constants, createCipheriv, createDecipheriv, type KeyObject, publicEncrypt } from 'node:crypto'
import { RELEASE_ENC_HASH, type ReleaseEnc } from '@skerry/guest/wire'

/** The initial values of RFC 3394 section 2.2.3.1 and RFC 5649 section 3. */
const KW_IV = Buffer.alloc(8, 0xa6)
const KWP_IV = Buffer.from('a65959a6', 'hex')

/** AES key wrap: RFC 3394, or with `padded` RFC 5649. The size of `kek` (16, 24 or 32 bytes) picks the cipher. */
export function wrapAes(kek: Buffer, plaintext: Buffer, padded: boolean): Buffer {
  const cipher = createCipheriv(cipherName(kek, padded), kek, padded ? KWP_IV : KW_IV)
  return Buffer.concat([cipher.update(plaintext), cipher.final()])
}

/** Throws when the integrity value does not come out. */
export function unwrapAes(kek: Buffer, wrapped: Buffer, padded: boolean): Buffer {
  const decipher = createDecipheriv(cipherName(kek, padded), kek, padded ? KWP_IV : KW_IV)
  return Buffer.concat([decipher.update(wrapped), decipher.final()])
}

const cipherName = (kek: Buffer, padded: boolean): string => `id-aes${kek.length * 8}-wrap${padded ? '-pad' : ''}`

/**
 * What a released key travels in: the AES-256 `kek` under RSA-OAEP, followed by the key under AES key wrap with padding
 * (PKCS#11 CKM_RSA_AES_KEY_WRAP). `enc` picks the hash of OAEP and of its MGF1.
 */
export function wrapForRelease(wrappingKey: KeyObject, enc: ReleaseEnc, kek: Buffer, plaintext: Buffer): Buffer {
  const wrappedKek = publicEncrypt(
    { key: wrappingKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: RELEASE_ENC_HASH[enc] },
    kek,
  )
  return Buffer.concat([wrappedKek, wrapAes(kek, plaintext, true)])
}
