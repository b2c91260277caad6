import { constants, type KeyObject, privateDecrypt } from 'node:crypto'
import * as v from 'valibot'
import { bytesOf } from '../encoding.ts'
import { badParameter } from '../errors.ts'
import { unwrapAes } from './key-wrap.ts'

/** A key on its way into an HSM, wrapped for the key exchange key `kekId` (the URL of one of its versions). */
export interface TransferBlob {
  readonly kekId: string
  readonly ciphertext: Buffer
}

const ENC = 'CKM_RSA_AES_KEY_WRAP'

const schema = v.looseObject({
  schema_version: v.literal('1.0.0'),
  header: v.looseObject({ kid: v.string(), alg: v.literal('dir'), enc: v.literal(ENC) }),
  ciphertext: v.string(),
})

/**
 * Reads `key_hsm` of an import: base64url of the JSON of a key transfer blob ("Bring your own key specification"). Azure's
 * own words for what is wrong with one are not documented; these name the member.
 */
export function readTransferBlob(keyHsm: unknown): TransferBlob {
  if (typeof keyHsm !== 'string') throw badParameter('Property key.key_hsm has invalid value')
  const result = v.safeParse(schema, parsed(bytesOf(keyHsm, 'key.key_hsm').toString('utf8')))
  if (!result.success) {
    const path = v.getDotPath(result.issues[0])
    throw badParameter(
      path === null
        ? 'Property key.key_hsm is not the JSON of a key transfer blob'
        : `The key transfer blob in key.key_hsm is not valid: ${path} has invalid value`,
    )
  }
  const { header, ciphertext } = result.output
  return { kekId: header.kid, ciphertext: bytesOf(ciphertext, 'key.key_hsm.ciphertext') }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/**
 * The reverse of CKM_RSA_AES_KEY_WRAP (PKCS#11): an AES key under RSA-OAEP with SHA-1, followed by the plaintext under AES
 * key wrap with padding. Whatever is wrong, there is one answer, so that it tells nothing about either part. The caller
 * wipes what comes out: PKCS#8 DER, or the bytes of a symmetric key.
 */
export function unwrapTransfer(kek: KeyObject, ciphertext: Buffer): Buffer {
  const size = (kek.asymmetricKeyDetails?.modulusLength ?? 0) / 8
  let aesKey: Buffer | undefined
  try {
    const oaep = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' }
    aesKey = privateDecrypt({ key: kek, ...oaep }, ciphertext.subarray(0, size))
    return unwrapAes(aesKey, ciphertext.subarray(size), true)
  } catch {
    throw badParameter('The key in key.key_hsm cannot be unwrapped with its key exchange key')
  } finally {
    aesKey?.fill(0)
  }
}
