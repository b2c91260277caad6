import { hkdfSync, type JsonWebKey } from 'node:crypto'
import { InvalidArgumentError } from '../http/endpoint.ts'

/** `key_derivation` of the import tool's configuration. */
export interface KeyDerivation {
  /** Hex, as the import tool takes and prints it. Default: none. */
  readonly salt?: string
  /** Default: the import tool's own. */
  readonly label?: string
}

const DEFAULT_LABEL = 'Symmetric Encryption Key'
const LENGTH = 32
/** Of OpenSSL, as Node has it; in bytes of UTF-8. */
export const LONGEST_LABEL = 1024

/**
 * A symmetric key of 32 bytes out of a released RSA key, the same that the import tool of the open-source SKR sidecar
 * derives with `-out` and its file system sidecar mounts with: HKDF with SHA-256 (RFC 5869) over the private exponent,
 * big-endian without leading zeros; the label is the `info`. Safe as long as the RSA key is used for nothing else.
 * @param jwk what was released; RSA
 * @returns the caller's to wipe
 * @throws InvalidArgumentError
 */
export function deriveKey(jwk: Readonly<JsonWebKey>, derivation: KeyDerivation = {}): Buffer {
  if (jwk.kty !== 'RSA' || typeof jwk.d !== 'string')
    throw new InvalidArgumentError('jwk', 'must be a private RSA key: of any other, nothing is derived')
  const salt = derivation.salt ?? ''
  if (!/^(?:[0-9a-f]{2})*$/i.test(salt)) throw new InvalidArgumentError('salt', 'must be hex')
  const info = Buffer.from(derivation.label || DEFAULT_LABEL, 'utf8')
  if (info.length > LONGEST_LABEL) throw new InvalidArgumentError('label', `must be at most ${LONGEST_LABEL} bytes`)
  const exponent = Buffer.from(jwk.d, 'base64url')
  try {
    const first = exponent.findIndex((byte) => byte !== 0)
    const secret = first < 0 ? exponent.subarray(0, 0) : exponent.subarray(first)
    return Buffer.from(hkdfSync('sha256', secret, Buffer.from(salt, 'hex'), info, LENGTH))
  } finally {
    exponent.fill(0)
  }
}
