import {
  constants,
  createDecipheriv,
  createPrivateKey,
  createSecretKey,
  type JsonWebKey,
  type KeyObject,
  privateDecrypt,
} from 'node:crypto'
import {
  decodeKeyHsm,
  type KeyHsm,
  RELEASE_ENC_HASH,
  type ReleaseEnc,
  type ReleasedKey as WrappedKey,
} from '../wire/index.ts'
import { KeyReleaseError } from './errors.ts'
import type { WrappingKey } from './wrapping-key.ts'

/** The key itself. The JWK is a JavaScript string in the end and cannot be wiped; hold it no longer than needed. */
export interface UnwrappedKey {
  /** Private JWK: RSA, EC or oct, with the `key_ops` that the vault gave. */
  readonly jwk: JsonWebKey
  readonly keyObject: KeyObject
}

/** RFC 5649, 3: the constant of the alternative initial value; OpenSSL appends the length. */
const KEY_WRAP_PAD_IV = Buffer.from('a65959a6', 'hex')

/**
 * Opens `key_hsm`: RSA-OAEP gives an AES-256 key, AES key wrap with padding (RFC 5649) gives the released key: PKCS#8 for
 * RSA and EC, the bytes themselves for oct. The public part must be the one that the answer shows.
 * @param enc what the answer says was asked for
 * @throws KeyReleaseError `ERR_RELEASE_UNWRAP`; no message and no cause holds key material
 */
export function unwrapReleasedKey(wrapped: WrappedKey, enc: ReleaseEnc, wrappingKey: WrappingKey): UnwrappedKey {
  const keyHsm = readKeyHsm(wrapped.key_hsm)
  if (keyHsm.enc !== enc) throw refused(`it is wrapped with ${keyHsm.enc}, the answer says ${enc}`)
  if (keyHsm.kid !== wrappingKey.kid) throw refused('it is wrapped for another key than the one attested')
  const plaintext = open(keyHsm, wrappingKey.privateKey)
  try {
    return wrapped.kty.replace(/-HSM$/, '') === 'oct' ? secretKey(plaintext, wrapped) : privateKey(plaintext, wrapped)
  } finally {
    plaintext.fill(0)
  }
}

function readKeyHsm(text: string): KeyHsm {
  try {
    return decodeKeyHsm(text)
  } catch (cause) {
    throw new KeyReleaseError(
      'ERR_RELEASE_UNWRAP',
      `the released key cannot be read: ${(cause as Error).message}`,
      cause,
    )
  }
}

function open({ enc, ciphertext }: KeyHsm, key: KeyObject): Buffer {
  const modulusBytes = (key.asymmetricKeyDetails?.modulusLength ?? 0) / 8
  let kek: Buffer | undefined
  try {
    kek = privateDecrypt(
      { key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: RELEASE_ENC_HASH[enc] },
      ciphertext.subarray(0, modulusBytes),
    )
    if (kek.length !== 32) throw new RangeError('the wrapped AES key is not 256 bits long')
    const decipher = createDecipheriv('id-aes256-wrap-pad', kek, KEY_WRAP_PAD_IV)
    const first = decipher.update(ciphertext.subarray(modulusBytes))
    const last = decipher.final()
    if (last.length === 0) return first
    const whole = Buffer.concat([first, last])
    first.fill(0)
    last.fill(0)
    return whole
  } catch {
    throw refused(`it does not open with ${enc}`)
  } finally {
    kek?.fill(0)
  }
}

function secretKey(plaintext: Buffer, wrapped: WrappedKey): UnwrappedKey {
  const keyObject = createSecretKey(plaintext)
  return { keyObject, jwk: { kty: 'oct', ...operations(wrapped), k: plaintext.toString('base64url') } }
}

function privateKey(plaintext: Buffer, wrapped: WrappedKey): UnwrappedKey {
  let keyObject: KeyObject
  let jwk: JsonWebKey
  try {
    keyObject = createPrivateKey({ key: plaintext, format: 'der', type: 'pkcs8' })
    jwk = keyObject.export({ format: 'jwk' })
  } catch {
    throw refused('what it holds is not a private key in PKCS#8')
  }
  const kty = wrapped.kty.replace(/-HSM$/, '')
  if (jwk.kty !== kty) throw refused(`it is ${jwk.kty}, the answer says ${kty}`)
  const differs = (['n', 'e', 'x', 'y'] as const).some(
    (name) => wrapped[name] !== undefined && wrapped[name] !== jwk[name],
  )
  if (differs) throw refused('its public part is not the one that the answer shows')
  // A vault's P-256K comes with the parameters of its curve written out and no public key, which few programs read.
  const named = kty === 'EC' ? createPrivateKey({ key: jwk, format: 'jwk' }) : keyObject
  return { keyObject: named, jwk: { ...jwk, ...operations(wrapped) } }
}

function operations(wrapped: WrappedKey): { key_ops?: string[] } {
  return wrapped.key_ops === undefined ? {} : { key_ops: [...wrapped.key_ops] }
}

function refused(why: string): KeyReleaseError {
  return new KeyReleaseError('ERR_RELEASE_UNWRAP', `the released key is refused: ${why}`)
}
