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
import { badParameter, notCovered } from '../errors.ts'
import {
  type CurveName,
  type KeySpec,
  type KeyStore,
  RSA_SIZES,
  settleCurve,
  storedKeyType,
} from '../rules/key-types.ts'
import type { KeyType, StoredMaterial } from '../state.ts'

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

/** Reads the JWK of an import. Throws 400 in the personality's words; never quotes the key. */
export function readImportedKey(
  jwk: Readonly<Record<string, unknown>> | undefined,
  hardware: boolean,
  store: KeyStore,
): NewKey {
  const invalid = () =>
    badParameter(
      store === 'managedHsm'
        ? 'JSON Web Key: the key is not valid'
        : 'The property "key" must be a valid JsonWebKey object.',
    )
  if (jwk === undefined || typeof jwk.kty !== 'string') {
    throw store === 'managedHsm' ? badParameter('JSON Web Key: kty is missing') : invalid()
  }
  if (jwk.key_hsm !== undefined && jwk.key_hsm !== null) {
    throw notCovered('SkerryByokNotCovered', 'Skerry does not unwrap a key that was wrapped for an HSM (key_hsm).')
  }
  const kty = storedKeyType(jwk.kty, store, hardware)
  const member = (name: string): Buffer => {
    const value = jwk[name]
    if (typeof value !== 'string' || value === '') throw invalid()
    return bytesOf(value, `key.${name}`)
  }
  if (kty === 'oct-HSM') return importedOct(member('k'))
  return kty === 'RSA' || kty === 'RSA-HSM'
    ? importedRsa(kty, member, store, invalid)
    : importedEc(kty, settleCurve(typeof jwk.crv === 'string' ? jwk.crv : ''), member, invalid)
}

function importedOct(bytes: Buffer): NewKey {
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
  const [n, e, d, p, q, dp, dq, qi] = ['n', 'e', 'd', 'p', 'q', 'dp', 'dq', 'qi'].map((name) =>
    base64Url(withoutLeadingZeros(member(name))),
  )
  // Before OpenSSL sees it: a huge modulus leaves an error in its queue for the next key that is read.
  if (Buffer.byteLength(n!, 'base64url') > 512)
    throw badParameter(`Invalid key size: ${Buffer.byteLength(n!, 'base64url') * 8}`)
  const key = workingKey({ kty: 'RSA', n: n!, e: e!, d: d!, p: p!, q: q!, dp: dp!, dq: dq!, qi: qi! }, invalid)
  const made = asymmetric(kty, key)
  if (!RSA_SIZES.includes(made.keySize ?? 0)) throw badParameter(`Invalid key size: ${made.keySize}`)
  // A vault gives the modulus back as it was sent, leading zero byte and all; a managed HSM strips it.
  return store === 'managedHsm' ? made : { ...made, publicJwk: { n: base64Url(member('n')), e: made.publicJwk.e! } }
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

/** The private key of an RSA or EC version. */
export function privateKeyOf(material: StoredMaterial): KeyObject {
  return createPrivateKey({ key: Buffer.from(material.data, 'base64'), type: 'pkcs8', format: 'der' })
}

/** The plaintext that is wrapped on release: PKCS#8 DER, or the raw bytes of an oct key. The caller wipes it. */
export function releasablePlaintext(material: StoredMaterial): Buffer {
  return Buffer.from(material.data, 'base64')
}
