import {
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  type JsonWebKeyInput,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'
import { promisify } from 'node:util'
import type { Random } from '../../core/index.ts'
import { base64Url, bytesOf } from '../encoding.ts'
import { badParameter, KeyVaultError } from '../errors.ts'
import {
  type CurveName,
  type KeySpec,
  type KeyStore,
  plainKeyType,
  RSA_SIZES,
  settleCurve,
  storedKeyType,
  unsupportedSize,
} from '../rules/key-types.ts'
import type { KeyType, StoredMaterial } from '../state.ts'
import { belongTogether, type RsaNumbers } from './rsa-numbers.ts'

/** A key as it was made or brought: its secret part for the store and its public part for everyone. */
export interface NewKey {
  readonly kty: KeyType
  readonly publicJwk: Readonly<Record<string, string>>
  readonly keySize?: number
  readonly material: StoredMaterial
}

const generate = promisify(generateKeyPair)

/** Azure's names of the curves, and OpenSSL's. P-256K is secp256k1. */
const OPENSSL_CURVES: Readonly<Record<CurveName, string>> = {
  'P-256': 'P-256',
  'P-384': 'P-384',
  'P-521': 'P-521',
  'P-256K': 'secp256k1',
}

export async function makeKey(spec: KeySpec, random: Random): Promise<NewKey> {
  if (spec.family === 'oct') {
    const bytes = random.bytes(spec.keySize / 8)
    return { kty: spec.kty, publicJwk: {}, keySize: spec.keySize, material: rawMaterial(bytes) }
  }
  if (spec.family === 'RSA') {
    const { privateKey } = await generate('rsa', { modulusLength: spec.keySize, publicExponent: spec.exponent })
    return asymmetric(spec.kty, privateKey)
  }
  const { privateKey } = await generate('ec', { namedCurve: OPENSSL_CURVES[spec.curve] })
  return asymmetric(spec.kty, privateKey)
}

/** Reads the JWK of an import, whose secret stands in it. Throws 400 in the personality's words; never quotes the key. */
export function readImportedKey(
  jwk: Readonly<Record<string, unknown>> | undefined,
  hardware: boolean,
  store: KeyStore,
): NewKey {
  const kty = storedKeyType(keyTypeOf(jwk, store), store, hardware)
  const invalid = () => badParameter(notValid(kty, store))
  const member = (name: string): Buffer => {
    const value = jwk?.[name]
    if (typeof value !== 'string' || value === '') throw missingMember(name, kty, store)
    return bytesOf(value, `key.${name}`)
  }
  if (kty === 'oct-HSM') return importedOct(member('k'))
  return kty === 'RSA' || kty === 'RSA-HSM'
    ? importedRsa(kty, member, store, invalid)
    : importedEc(kty, settleCurve(typeof jwk?.crv === 'string' ? jwk.crv : ''), member, invalid)
}

const NO_KEY = 'The property "key" must be a valid JsonWebKey object.'

/** The type that the JWK of an import names. Throws 400 in the personality's words where there is none. */
export function keyTypeOf(jwk: Readonly<Record<string, unknown>> | undefined, store: KeyStore): string {
  if (typeof jwk?.kty === 'string') return jwk.kty
  throw badParameter(store === 'managedHsm' ? 'JSON Web Key: kty is missing' : NO_KEY)
}

function notValid(kty: KeyType, store: KeyStore): string {
  if (store === 'managedHsm') return 'JSON Web Key: the key is not valid'
  return kty.startsWith('RSA') ? 'RSA key is not valid - cannot instantiate crypto service' : NO_KEY
}

/**
 * Azure wants every member of a private key, those of the Chinese remainder theorem too: a key of only `n`, `e` and `d`
 * is refused. Which one is missing it tells on a managed HSM, and here in the journal.
 */
function missingMember(name: string, kty: KeyType, store: KeyStore): KeyVaultError {
  const summary = `The ${kty} key to import has no ${name}; every private member is wanted${
    kty.startsWith('RSA') ? ': n, e, d, p, q, dp, dq, qi' : ''
  }.`
  const message = store === 'managedHsm' ? `JSON Web Key: ${name} is missing` : NO_KEY
  return new KeyVaultError(400, 'BadParameter', message, { evidence: { summary } })
}

/** A private key that came in PKCS#8 (RSA, EC), as what is transferred to an HSM does. Throws 400 in `invalid`'s words. */
export function readPkcs8(kty: 'RSA-HSM' | 'EC-HSM', der: Buffer, invalid: () => Error): NewKey {
  const jwk = jwkOf(der)
  if (jwk === undefined || jwk.kty !== plainKeyType(kty)) throw invalid()
  if (jwk.kty === 'RSA' && !belongTogether(rsaNumbers((name) => Buffer.from(String(jwk[name]), 'base64url')))) {
    throw invalid()
  }
  const made = asymmetric(kty, workingKey(jwk, invalid))
  if (jwk.kty === 'RSA' && !RSA_SIZES.includes(made.keySize ?? 0)) throw invalid()
  if (jwk.kty === 'EC' && !(made.publicJwk.crv! in OPENSSL_CURVES)) throw invalid()
  return made
}

/** Undefined for what is not PKCS#8, and for keys that have no JWK: other algorithms, curves without a name. */
function jwkOf(der: Buffer): (ReturnType<KeyObject['export']> & JsonWebKeyInput['key']) | undefined {
  try {
    return createPrivateKey({ key: der, type: 'pkcs8', format: 'der' }).export({ format: 'jwk' })
  } catch {
    return undefined
  }
}

export function importedOct(bytes: Buffer): NewKey {
  if (bytes.length > 64) {
    throw badParameter('JSON Web Key: k property of oct key is too large, maximum size is 64')
  }
  if (bytes.length === 0) throw badParameter('JSON Web Key: k is missing')
  return { kty: 'oct-HSM', publicJwk: {}, keySize: bytes.length * 8, material: rawMaterial(bytes) }
}

function importedRsa(
  kty: 'RSA' | 'RSA-HSM',
  member: (name: string) => Buffer,
  store: KeyStore,
  invalid: () => Error,
): NewKey {
  const numbers = rsaNumbers(member)
  // Before OpenSSL sees it: a huge modulus leaves an error in its queue for the next key that is read.
  if (numbers.n.length > 512) throw unsupportedSize(numbers.n.length * 8, RSA_SIZES)
  if (!belongTogether(numbers)) throw invalid()
  const members = Object.entries(numbers).map(([name, bytes]) => [name, base64Url(bytes)])
  const key = workingKey({ kty: 'RSA', ...Object.fromEntries(members) }, invalid)
  const made = asymmetric(kty, key)
  if (!RSA_SIZES.includes(made.keySize ?? 0)) throw unsupportedSize(made.keySize, RSA_SIZES)
  // A vault gives the modulus back as it was sent, leading zero byte and all; a managed HSM strips it.
  return store === 'managedHsm' ? made : { ...made, publicJwk: { n: base64Url(member('n')), e: made.publicJwk.e! } }
}

const RSA_MEMBERS = ['n', 'e', 'd', 'p', 'q', 'dp', 'dq', 'qi'] as const

function rsaNumbers(member: (name: string) => Buffer): RsaNumbers {
  const entries = RSA_MEMBERS.map((name) => [name, withoutLeadingZeros(member(name))])
  return Object.fromEntries(entries) as RsaNumbers
}

function importedEc(
  kty: 'EC' | 'EC-HSM',
  curve: CurveName,
  member: (name: string) => Buffer,
  invalid: () => Error,
): NewKey {
  const [x, y, d] = ['x', 'y', 'd'].map((name) => base64Url(member(name)))
  return asymmetric(kty, workingKey({ kty: 'EC', crv: OPENSSL_CURVES[curve], x: x!, y: y!, d: d! }, invalid))
}

/** A private key whose public part belongs to it: OpenSSL takes the members of a JWK on trust, so it signs once. */
function workingKey(jwk: JsonWebKeyInput['key'], invalid: () => Error): KeyObject {
  try {
    const key = createPrivateKey({ key: jwk, format: 'jwk' })
    const probe = Buffer.from('probe')
    const { d: _d, p: _p, q: _q, dp: _dp, dq: _dq, qi: _qi, ...publicMembers } = jwk
    const publicKey = createPublicKey({ key: publicMembers, format: 'jwk' })
    if (verify('sha256', probe, publicKey, sign('sha256', probe, key))) return key
  } catch {
    // Said below; OpenSSL's message helps nobody here.
  }
  throw invalid()
}

function asymmetric(kty: KeyType, privateKey: KeyObject): NewKey {
  const jwk = createPublicKey(privateKey).export({ format: 'jwk' })
  const der = privateKey.export({ type: 'pkcs8', format: 'der' })
  const material: StoredMaterial = { form: 'pkcs8', data: der.toString('base64') }
  der.fill(0)
  if (jwk.kty === 'RSA') {
    const keySize = privateKey.asymmetricKeyDetails?.modulusLength
    return { kty, publicJwk: { n: jwk.n!, e: jwk.e! }, ...(keySize === undefined ? {} : { keySize }), material }
  }
  const crv = jwk.crv === 'secp256k1' ? 'P-256K' : jwk.crv!
  return { kty, publicJwk: { crv, x: jwk.x!, y: jwk.y! }, material }
}

const rawMaterial = (bytes: Buffer): StoredMaterial => ({ form: 'raw', data: bytes.toString('base64') })

function withoutLeadingZeros(bytes: Buffer): Buffer {
  const start = bytes.findIndex((byte) => byte !== 0)
  return start <= 0 ? bytes : bytes.subarray(start)
}

/** Reading a private key costs as much as a signature: it is read once for as long as its material is in hand. */
const privateKeys = new WeakMap<StoredMaterial, KeyObject>()
const publicKeys = new WeakMap<StoredMaterial, KeyObject>()

/** The private key of an RSA or EC version. */
export function privateKeyOf(material: StoredMaterial): KeyObject {
  const known = privateKeys.get(material)
  if (known !== undefined) return known
  const der = Buffer.from(material.data, 'base64')
  const key = createPrivateKey({ key: der, type: 'pkcs8', format: 'der' })
  der.fill(0)
  privateKeys.set(material, key)
  return key
}

/** The public key of an RSA or EC version. */
export function publicKeyOf(material: StoredMaterial): KeyObject {
  const known = publicKeys.get(material)
  if (known !== undefined) return known
  const key = createPublicKey(privateKeyOf(material))
  publicKeys.set(material, key)
  return key
}

/** The plaintext that is wrapped on release: PKCS#8 DER, or the raw bytes of an oct key. The caller wipes it. */
export function releasablePlaintext(material: StoredMaterial): Buffer {
  return Buffer.from(material.data, 'base64')
}
