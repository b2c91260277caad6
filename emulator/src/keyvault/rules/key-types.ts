import { badParameter, forbidden, KeyVaultError } from '../errors.ts'
import type { KeyType } from '../state.ts'

/** Which kind of store a key is to live in: decides the types that may be made there. */
export type KeyStore = 'standard' | 'premium' | 'managedHsm'

export type CurveName = 'P-256' | 'P-384' | 'P-521' | 'P-256K'

/** What is to be made. `keySize` in bits. */
export type KeySpec =
  | { readonly family: 'RSA'; readonly kty: 'RSA' | 'RSA-HSM'; readonly keySize: number; readonly exponent: number }
  | { readonly family: 'EC'; readonly kty: 'EC' | 'EC-HSM'; readonly curve: CurveName }
  | { readonly family: 'oct'; readonly kty: 'oct-HSM'; readonly keySize: number }

export interface WantedKey {
  readonly kty: string
  readonly keySize?: number | undefined
  readonly curve?: string | undefined
  readonly exponent?: number | undefined
}

export const RSA_SIZES: readonly number[] = [2048, 3072, 4096]
export const AES_SIZES: readonly number[] = [128, 192, 256]
/** HMAC takes longer keys, too. */
const OCT_SIZES: readonly number[] = [...AES_SIZES, 384, 512]
const CURVES: readonly string[] = ['P-256', 'P-384', 'P-521', 'P-256K']

/** As the real service words it, two blanks and all: the property has no name there. */
const INVALID_PROPERTY = 'Property  has invalid value\r\n'

/** As reported of the live service, of keys that came with a certificate. Sizes in bits. */
export function unsupportedSize(size: number | undefined, supported: readonly number[]): KeyVaultError {
  const message = `Unsupported key size (${size}). Supported sizes are [${supported.join(', ')}]`
  return new KeyVaultError(400, 'BadParameter', message, { innerCode: 'KeySizeNotSupported' })
}

/** Managed HSM keys are always in the HSM, so the plain types name the same thing there. */
export function storedKeyType(kty: string, store: KeyStore, hardware = false): KeyType {
  const family = kty.replace(/-HSM$/, '')
  if (store === 'managedHsm') {
    if (family === 'RSA' || family === 'EC') return `${family}-HSM`
    if (family === 'oct' || family === 'AES') return 'oct-HSM'
    throw badParameter(INVALID_PROPERTY)
  }
  if (kty === 'oct') {
    throw new KeyVaultError(400, 'BadParameter', 'Invalid kty value: oct', { innerCode: 'KeyTypeNotSupported' })
  }
  if (family !== 'RSA' && family !== 'EC') throw badParameter(INVALID_PROPERTY)
  if (!hardware && family === kty) return family
  if (store === 'standard') throw forbidden('Hardware key operation not allowed on standard vault')
  return `${family}-HSM`
}

/** Settles type, size and curve of a key that is to be created. Throws 400 and 403 as the service does. */
export function settleKeySpec(wanted: WantedKey, store: KeyStore): KeySpec {
  const kty = storedKeyType(wanted.kty, store)
  if (kty === 'RSA' || kty === 'RSA-HSM') {
    const keySize = wanted.keySize ?? 2048
    if (!RSA_SIZES.includes(keySize)) throw unsupportedSize(keySize, RSA_SIZES)
    // The documentation of `public_exponent` says that only a managed HSM heeds it; the Java client sends 0 for none.
    const exponent = (store === 'managedHsm' && wanted.exponent) || 65537
    // Node makes keys with no larger one.
    if (exponent < 3 || exponent % 2 === 0 || exponent > 0xffff_ffff)
      throw badParameter(`Invalid public exponent: ${exponent}`)
    return { family: 'RSA', kty, keySize, exponent }
  }
  if (kty === 'oct-HSM') {
    const keySize = wanted.keySize ?? 256
    if (!OCT_SIZES.includes(keySize)) throw unsupportedSize(keySize, OCT_SIZES)
    return { family: 'oct', kty, keySize }
  }
  return { family: 'EC', kty, curve: settleCurve(wanted.curve ?? 'P-256') }
}

export function settleCurve(curve: string): CurveName {
  // SECP256K1 is the name of the same curve in the api-versions before 7.0.
  const name = curve === 'SECP256K1' ? 'P-256K' : curve
  if (!CURVES.includes(name)) throw badParameter(`Invalid curve: ${curve}`)
  return name as CurveName
}

const KEY_OPS: readonly string[] = [
  'encrypt',
  'decrypt',
  'sign',
  'verify',
  'wrapKey',
  'unwrapKey',
  'import',
  'export',
  'deriveKey',
  'secureWrapKey',
  'secureUnwrapKey',
]

/** The operations a key allows: those asked for, or all that its type has. */
export function settleKeyOps(wanted: readonly string[] | undefined, kty: KeyType, store: KeyStore): readonly string[] {
  if (wanted !== undefined) {
    const unknown = wanted.find((operation) => !KEY_OPS.includes(operation))
    if (unknown !== undefined) throw badParameter(`Property key_ops has invalid value: ${unknown}`)
    return [...new Set(wanted)]
  }
  if (kty === 'RSA' || kty === 'RSA-HSM') return ['encrypt', 'decrypt', 'sign', 'verify', 'wrapKey', 'unwrapKey']
  if (kty === 'oct-HSM') return ['wrapKey', 'unwrapKey', 'encrypt', 'decrypt', 'sign', 'verify', 'deriveKey']
  return store === 'managedHsm' ? ['sign', 'verify', 'deriveKey'] : ['sign', 'verify']
}

export const isHardware = (kty: KeyType): boolean => kty.endsWith('-HSM')

/** `RSA` for `RSA-HSM`: how a released key names its type. */
export const plainKeyType = (kty: KeyType): string => kty.replace(/-HSM$/, '')
