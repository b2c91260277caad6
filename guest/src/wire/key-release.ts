import { decodeBase64Url, decodeUtf8, encodeBase64Url, encodeUtf8 } from './bytes.ts'
import { WireError } from './errors.ts'
import { type JsonObject, optionalText, requireObject, requireText } from './json.ts'

/**
 * What `POST /keys/{name}/{version}/release` answers with: the payload of its JWS.
 * Source: Azure REST API specification, Key Vault data plane 7.4, "release"; Microsoft Learn, "Secure key release".
 */

/** How the released key is wrapped: RSA-OAEP of an AES-256 key, then AES key wrap with padding (RFC 5649). */
export type ReleaseEnc = 'CKM_RSA_AES_KEY_WRAP' | 'RSA_AES_KEY_WRAP_256' | 'RSA_AES_KEY_WRAP_384'

/** Digest of OAEP and of its mask generation, by the name that OpenSSL knows. */
export const RELEASE_ENC_HASH = {
  CKM_RSA_AES_KEY_WRAP: 'sha1',
  RSA_AES_KEY_WRAP_256: 'sha256',
  RSA_AES_KEY_WRAP_384: 'sha384',
} as const satisfies Record<ReleaseEnc, string>

export const DEFAULT_RELEASE_ENC: ReleaseEnc = 'CKM_RSA_AES_KEY_WRAP'

export function isReleaseEnc(value: unknown): value is ReleaseEnc {
  return typeof value === 'string' && Object.hasOwn(RELEASE_ENC_HASH, value)
}

/** The wrapped key, `key_hsm`. */
export interface KeyHsm {
  /** `kid` of the wrapping key, as the attestation token has it. */
  readonly kid: string
  readonly enc: ReleaseEnc
  /** The wrapped AES key, as long as the RSA modulus, and then the wrapped key. */
  readonly ciphertext: Uint8Array
}

const CODE = 'ERR_KEY_HSM'
const PAYLOAD_CODE = 'ERR_RELEASED_KEY'

/** Base64url of the `key_hsm` JSON, with members in the order that a vault writes (a managed HSM sorts them). */
export function encodeKeyHsm(value: KeyHsm, order: 'vault' | 'managedHsm' = 'vault'): string {
  const { kid, enc } = value
  const ciphertext = encodeBase64Url(value.ciphertext)
  const json =
    order === 'vault'
      ? { schema_version: '1.0', header: { kid, alg: 'dir', enc }, ciphertext }
      : { ciphertext, header: { alg: 'dir', enc, kid }, schema_version: '1.0' }
  return encodeBase64Url(encodeUtf8(JSON.stringify(json)))
}

/** @throws WireError `ERR_KEY_HSM` with a JSON pointer */
export function decodeKeyHsm(text: string): KeyHsm {
  const object = requireObject(parseJson(text), CODE, '')
  const header = requireObject(object.header, CODE, '/header')
  if (header.alg !== 'dir') throw new WireError(CODE, '/header/alg must be dir', '/header/alg')
  if (!isReleaseEnc(header.enc)) {
    throw new WireError(CODE, `/header/enc must be one of ${Object.keys(RELEASE_ENC_HASH).join(', ')}`, '/header/enc')
  }
  const ciphertext = requireText(object.ciphertext, CODE, '/ciphertext')
  try {
    return {
      kid: requireText(header.kid, CODE, '/header/kid'),
      enc: header.enc,
      ciphertext: decodeBase64Url(ciphertext),
    }
  } catch (cause) {
    if (cause instanceof WireError && cause.code === CODE) throw cause
    throw new WireError(CODE, '/ciphertext must be base64url', '/ciphertext', { cause })
  }
}

export interface ReleasedKeyPayload {
  readonly request: {
    readonly 'api-version'?: string
    readonly enc: ReleaseEnc
    /** The key's URL as it was asked for. */
    readonly kid: string
    readonly nonce?: string
  }
  readonly response: {
    readonly key: {
      readonly key: ReleasedKey
      readonly attributes?: JsonObject
      readonly release_policy?: { readonly data: string; readonly immutable?: boolean; readonly contentType?: string }
    }
  }
}

/** The public part of the key, and `key_hsm`: what `decodeKeyHsm` reads. */
export interface ReleasedKey {
  readonly kid: string
  /** `RSA`, `EC`, `oct`; older vaults and managed HSMs append `-HSM`. */
  readonly kty: string
  readonly key_ops?: readonly string[]
  readonly key_hsm: string
  readonly n?: string
  readonly e?: string
  readonly crv?: string
  readonly x?: string
  readonly y?: string
}

/**
 * Checks the members that a client relies on and keeps the rest as it is.
 * @throws WireError `ERR_RELEASED_KEY` with a JSON pointer
 */
export function parseReleasedKeyPayload(value: unknown): ReleasedKeyPayload {
  const payload = requireObject(value, PAYLOAD_CODE, '')
  const request = requireObject(payload.request, PAYLOAD_CODE, '/request')
  if (!isReleaseEnc(request.enc)) {
    throw new WireError(
      PAYLOAD_CODE,
      `/request/enc must be one of ${Object.keys(RELEASE_ENC_HASH).join(', ')}`,
      '/request/enc',
    )
  }
  requireText(request.kid, PAYLOAD_CODE, '/request/kid')
  optionalText(request.nonce, PAYLOAD_CODE, '/request/nonce')
  const response = requireObject(payload.response, PAYLOAD_CODE, '/response')
  const bundle = requireObject(response.key, PAYLOAD_CODE, '/response/key')
  const key = requireObject(bundle.key, PAYLOAD_CODE, '/response/key/key')
  for (const name of ['kid', 'kty', 'key_hsm']) requireText(key[name], PAYLOAD_CODE, `/response/key/key/${name}`)
  for (const name of ['n', 'e', 'crv', 'x', 'y']) optionalText(key[name], PAYLOAD_CODE, `/response/key/key/${name}`)
  return value as ReleasedKeyPayload
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(decodeUtf8(decodeBase64Url(text)))
  } catch (cause) {
    throw new WireError(CODE, 'key_hsm is not base64url of JSON', '', { cause })
  }
}
