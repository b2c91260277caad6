import {
  constants,
  createCipheriv,
  createDecipheriv,
  createHmac,
  type KeyObject,
  privateDecrypt,
  privateEncrypt,
  publicDecrypt,
  publicEncrypt,
  timingSafeEqual,
} from 'node:crypto'
import type { Random } from '../../core/index.ts'
import { badParameter } from '../errors.ts'
import type { StoredMaterial } from '../state.ts'
import { curveOf, EC_ALGORITHMS, signEcdsa, verifyEcdsa } from './ecdsa.ts'
import { unwrapAes, wrapAes } from './key-wrap.ts'
import { privateKeyOf, publicKeyOf } from './material.ts'
import { signPss, verifyPss } from './pss.ts'

/** What an operation is given, decoded. */
export interface CryptoInput {
  readonly alg: string
  readonly value: Buffer
  readonly iv?: Buffer
  readonly aad?: Buffer
  readonly tag?: Buffer
}

export interface CryptoOutput {
  readonly value: Buffer
  readonly iv?: Buffer
  readonly tag?: Buffer
}

const unsupported = (alg: string) => badParameter(`The algorithm ${alg} is not supported for this key`)

/** Encrypt and wrapKey: for asymmetric keys the same thing under two names. */
export function seal(
  material: StoredMaterial,
  input: CryptoInput,
  use: 'encrypt' | 'wrapKey',
  random: Random,
): CryptoOutput {
  if (material.form === 'raw') return sealAes(rawKey(material), input, use, random)
  const options = rsaPadding(material, input.alg)
  return { value: sizeChecked(() => publicEncrypt({ key: publicKeyOf(material), ...options }, input.value)) }
}

/** Decrypt and unwrapKey. */
export function open(material: StoredMaterial, input: CryptoInput, use: 'decrypt' | 'unwrapKey'): CryptoOutput {
  if (material.form === 'raw') return { value: sizeChecked(() => openAes(rawKey(material), input, use)) }
  const options = rsaPadding(material, input.alg)
  return { value: sizeChecked(() => privateDecrypt({ key: privateKeyOf(material), ...options }, input.value)) }
}

function rsaPadding(material: StoredMaterial, alg: string) {
  if (privateKeyOf(material).asymmetricKeyType !== 'rsa') throw unsupported(alg)
  if (alg === 'RSA1_5') return { padding: constants.RSA_PKCS1_PADDING }
  const oaepHash = alg === 'RSA-OAEP' ? 'sha1' : alg === 'RSA-OAEP-256' ? 'sha256' : undefined
  if (oaepHash === undefined) throw unsupported(alg)
  return { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash }
}

const AES_MODE = /^A(128|192|256)(GCM|CBC|CBCPAD)$/
const AES_WRAP = /^(?:A(128|192|256)KW|CKM_AES_KEY_WRAP(_PAD)?)$/

/** The bytes of a GCM nonce; the service picks it, whatever the caller sent. */
const GCM_NONCE = 12

function sealAes(key: Buffer, input: CryptoInput, use: 'encrypt' | 'wrapKey', random: Random): CryptoOutput {
  if (use === 'wrapKey') return { value: sizeChecked(() => wrapAes(key, input.value, wrapPadded(key, input.alg))) }
  const mode = aesMode(key, input.alg)
  if (mode === 'GCM') {
    const iv = random.bytes(GCM_NONCE)
    const cipher = createCipheriv(`aes-${key.length * 8}-gcm` as 'aes-256-gcm', key, iv)
    if (input.aad !== undefined) cipher.setAAD(input.aad)
    const value = Buffer.concat([cipher.update(input.value), cipher.final()])
    return { value, iv, tag: cipher.getAuthTag() }
  }
  const iv = cbcIv(input)
  const cipher = createCipheriv(`aes-${key.length * 8}-cbc`, key, iv).setAutoPadding(mode === 'CBCPAD')
  const plaintext = mode === 'CBC' ? zeroPadded(input.value) : input.value
  return { value: Buffer.concat([cipher.update(plaintext), cipher.final()]), iv }
}

/** The service fills the last block of CBC with zeros, and leaves them to whoever decrypts. */
function zeroPadded(plaintext: Buffer): Buffer {
  return Buffer.concat([plaintext, Buffer.alloc(-plaintext.length & 15)])
}

function openAes(key: Buffer, input: CryptoInput, use: 'decrypt' | 'unwrapKey'): Buffer {
  if (use === 'unwrapKey') return unwrapAes(key, input.value, wrapPadded(key, input.alg))
  const mode = aesMode(key, input.alg)
  if (mode === 'GCM') {
    if (input.iv === undefined || input.iv.length < GCM_NONCE) throw badParameter('Property iv has invalid value')
    if (input.tag?.length !== 16) throw badParameter('Property tag has invalid value')
    // Older answers carried the nonce in 16 bytes, the last four of them zero.
    const nonce = input.iv.subarray(0, GCM_NONCE)
    const decipher = createDecipheriv(`aes-${key.length * 8}-gcm` as 'aes-256-gcm', key, nonce, { authTagLength: 16 })
    if (input.aad !== undefined) decipher.setAAD(input.aad)
    decipher.setAuthTag(input.tag)
    return Buffer.concat([decipher.update(input.value), decipher.final()])
  }
  const decipher = createDecipheriv(`aes-${key.length * 8}-cbc`, key, cbcIv(input)).setAutoPadding(mode === 'CBCPAD')
  return Buffer.concat([decipher.update(input.value), decipher.final()])
}

function aesMode(key: Buffer, alg: string): string {
  const match = AES_MODE.exec(alg)
  if (match === null || Number(match[1]) !== key.length * 8) throw unsupported(alg)
  return match[2]!
}

function wrapPadded(key: Buffer, alg: string): boolean {
  const match = AES_WRAP.exec(alg)
  const bits = key.length * 8
  if (match === null || (match[1] !== undefined && Number(match[1]) !== bits)) throw unsupported(alg)
  if (bits !== 128 && bits !== 192 && bits !== 256) throw unsupported(alg)
  return match[2] !== undefined
}

function cbcIv(input: CryptoInput): Buffer {
  if (input.iv?.length === 16) return input.iv
  throw badParameter('Property iv has invalid value: 16 bytes are needed')
}

/** The DER head of the DigestInfo of each hash (RFC 8017 section 9.2, note 1), and the digest's size. */
const DIGEST_INFO: Readonly<Record<string, readonly [hash: string, head: Buffer, size: number]>> = {
  RS256: ['sha256', Buffer.from('3031300d060960864801650304020105000420', 'hex'), 32],
  RS384: ['sha384', Buffer.from('3041300d060960864801650304020205000430', 'hex'), 48],
  RS512: ['sha512', Buffer.from('3051300d060960864801650304020305000440', 'hex'), 64],
  PS256: ['sha256', Buffer.alloc(0), 32],
  PS384: ['sha384', Buffer.alloc(0), 48],
  PS512: ['sha512', Buffer.alloc(0), 64],
}
const HMAC: Readonly<Record<string, string>> = { HS256: 'sha256', HS384: 'sha384', HS512: 'sha512' }

/** Signs a digest. Of an `HS` algorithm the value is what is authenticated. */
export function signDigest(material: StoredMaterial, alg: string, digest: Buffer, random: Random): Buffer {
  if (material.form === 'raw') return hmac(material, alg, digest)
  const key = privateKeyOf(material)
  if (key.asymmetricKeyType === 'ec') return Buffer.from(signEcdsa(ecAlgorithm(key, alg, digest, 'value'), key, digest))
  if (alg.startsWith('PS')) {
    const [hash, , size] = rsaAlgorithm(alg, digest, 'value')
    return signPss(key, hash, digest, random.bytes(size))
  }
  // Only what RSNULL is given can be too long. A key by itself means PKCS #1 padding; options beside it cost Node time.
  return sizeChecked(() => privateEncrypt(key, digestInfo(alg, digest, 'value')))
}

export function verifyDigest(material: StoredMaterial, alg: string, digest: Buffer, signature: Buffer): boolean {
  if (material.form === 'raw') return sameBytes(hmac(material, alg, digest), signature)
  const key = publicKeyOf(material)
  if (key.asymmetricKeyType === 'ec')
    return verifyEcdsa(ecAlgorithm(key, alg, digest, 'digest'), key, digest, signature)
  if (alg.startsWith('PS')) return verifyPss(key, rsaAlgorithm(alg, digest, 'digest')[0], digest, signature)
  const wanted = digestInfo(alg, digest, 'digest')
  try {
    return sameBytes(publicDecrypt(key, signature), wanted)
  } catch {
    return false
  }
}

function hmac(material: StoredMaterial, alg: string, data: Buffer): Buffer {
  const hash = Object.hasOwn(HMAC, alg) ? HMAC[alg] : undefined
  if (hash === undefined) throw unsupported(alg)
  return createHmac(hash, rawKey(material)).update(data).digest()
}

/** RSNULL signs whatever the caller made of it; the others put the digest in its DigestInfo. */
function digestInfo(alg: string, digest: Buffer, field: DigestField): Buffer {
  if (alg === 'RSNULL') return digest
  return Buffer.concat([rsaAlgorithm(alg, digest, field)[1], digest])
}

function rsaAlgorithm(alg: string, digest: Buffer, field: DigestField) {
  const algorithm = Object.hasOwn(DIGEST_INFO, alg) ? DIGEST_INFO[alg] : undefined
  if (algorithm === undefined) throw unsupported(alg)
  if (digest.length !== algorithm[2]) throw wrongDigest(alg, algorithm[2], digest, field)
  return algorithm
}

function ecAlgorithm(key: KeyObject, alg: string, digest: Buffer, field: DigestField) {
  const algorithm = EC_ALGORITHMS[alg]
  if (algorithm === undefined || algorithm.curve !== curveOf(key)) throw unsupported(alg)
  if (digest.length !== algorithm.digestSize) throw wrongDigest(alg, algorithm.digestSize, digest, field)
  return algorithm
}

/** The member that holds the digest: of what is to be signed, or of what was. */
type DigestField = 'value' | 'digest'

/** As reported of the live service. */
const wrongDigest = (alg: string, wanted: number, { length }: Buffer, field: DigestField) =>
  badParameter(
    `Invalid length of '${field}': ${length} bytes. ${alg} requires ${wanted} bytes, encoded with base64url.`,
  )

const rawKey = (material: StoredMaterial): Buffer => Buffer.from(material.data, 'base64')

const sameBytes = (a: Buffer, b: Buffer): boolean => a.length === b.length && timingSafeEqual(a, b)

/** OpenSSL's complaint about sizes, padding or authentication is the caller's bad parameter, without its details. */
function sizeChecked(operation: () => Buffer): Buffer {
  try {
    return operation()
  } catch (error) {
    if (error instanceof Error && error.name === 'KeyVaultError') throw error
    throw badParameter('The parameter is incorrect.')
  }
}
