import { InvalidArgumentError } from '../http/endpoint.ts'
import { deriveKey, type KeyDerivation, LONGEST_LABEL } from '../skr/derive.ts'
import type { UnwrappedKey } from '../skr/unwrap.ts'

/** The forms in which programs read keys. */
export const KEY_FORMATS = ['jwk', 'pem', 'der', 'raw', 'base64', 'hex'] as const
export type KeyFormat = (typeof KEY_FORMATS)[number]

export interface KeyFormatOptions {
  /** Default `jwk`; with a derivation `raw`. */
  readonly format?: string
  /** Makes a symmetric key of an RSA key; an oct key is one already and is taken as it is, as the original does. */
  readonly derivation?: KeyDerivation
}

interface Form {
  readonly format: KeyFormat
  readonly derivation?: KeyDerivation
}

/**
 * Looks at what was asked for before there is a key.
 * @throws InvalidArgumentError for a form that is none, or none of a derived key
 */
export function readKeyForm({ format: text, derivation }: KeyFormatOptions): Form {
  const format = readFormat(text ?? (derivation === undefined ? 'jwk' : 'raw'))
  if (derivation === undefined) return { format }
  if (['jwk', 'pem', 'der'].includes(format))
    throw new InvalidArgumentError('--format', `of a derived key is raw, base64 or hex, not ${format}`)
  if (!/^(?:[0-9a-f]{2})*$/i.test(derivation.salt ?? ''))
    throw new InvalidArgumentError('--derive-salt', 'must be hex, two digits for each byte')
  if (Buffer.byteLength(derivation.label ?? '') > LONGEST_LABEL)
    throw new InvalidArgumentError('--derive-label', `must be at most ${LONGEST_LABEL} bytes`)
  return { format, derivation }
}

/**
 * A released key as bytes: `jwk` the private JWK in JSON, `pem` and `der` PKCS#8 (RSA and EC), `raw` the bytes of an oct
 * key or of one that was derived, `base64` and `hex` the same as text. Texts end in a newline.
 * @returns bytes that the caller wipes
 * @throws InvalidArgumentError when the key has no such form
 */
export function formatKey(key: UnwrappedKey, options: KeyFormatOptions = {}): Buffer {
  const { format, derivation } = readKeyForm(options)
  switch (format) {
    case 'jwk':
      return Buffer.from(`${JSON.stringify(key.jwk)}\n`)
    case 'pem':
      return Buffer.from(privateKeyOf(key, format).export({ format: 'pem', type: 'pkcs8' }))
    case 'der':
      return privateKeyOf(key, format).export({ format: 'der', type: 'pkcs8' })
    case 'raw':
      return symmetricKeyOf(key, format, derivation)
    default: {
      const bytes = symmetricKeyOf(key, format, derivation)
      const text = Buffer.from(`${bytes.toString(format)}\n`)
      bytes.fill(0)
      return text
    }
  }
}

/** Whether it may stand in an environment variable. */
export function isText(options: KeyFormatOptions): boolean {
  return !['raw', 'der'].includes(readKeyForm(options).format)
}

function readFormat(text: string): KeyFormat {
  const format = KEY_FORMATS.find((known) => known === text)
  if (format === undefined)
    throw new InvalidArgumentError('--format', `must be one of ${KEY_FORMATS.join(', ')}, not "${text}"`)
  return format
}

function privateKeyOf({ keyObject }: UnwrappedKey, format: KeyFormat) {
  if (keyObject.type === 'private') return keyObject
  throw new InvalidArgumentError('--format', `${format} is for RSA and EC keys; this one is oct`)
}

function symmetricKeyOf(key: UnwrappedKey, format: KeyFormat, derivation: KeyDerivation | undefined): Buffer {
  if (derivation !== undefined && key.jwk.kty !== 'oct') return deriveKey(key.jwk, derivation)
  if (key.keyObject.type === 'secret') return key.keyObject.export()
  throw new InvalidArgumentError(
    '--format',
    `${format} is for oct keys, or with --derive-salt; this one is ${key.jwk.kty}`,
  )
}
