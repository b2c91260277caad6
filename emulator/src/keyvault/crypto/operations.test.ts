import { constants, createHash, createPublicKey, randomBytes, sign, verify } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { systemRandom } from '../../core/random.ts'
import type { StoredMaterial } from '../state.ts'
import { makeKey, privateKeyOf } from './material.ts'
import { open, seal, signDigest, verifyDigest } from './operations.ts'

/** Everything is held against Node's own signatures over messages: OpenSSL hashes there, the caller does here. */

const random = systemRandom()
const message = Buffer.from('a message')
const digestOf = (hash: string) => createHash(hash).update(message).digest()

const rsa = (await makeKey({ family: 'RSA', kty: 'RSA', keySize: 2048, exponent: 65537 }, random)).material
const ec = async (curve: 'P-256' | 'P-384' | 'P-521' | 'P-256K') =>
  (await makeKey({ family: 'EC', kty: 'EC', curve }, random)).material
const oct = async (keySize: number) => (await makeKey({ family: 'oct', kty: 'oct-HSM', keySize }, random)).material

describe('signatures over a digest are those that OpenSSL makes over the message', () => {
  it.each(['256', '384', '512'])('RS%s', (bits) => {
    const signature = signDigest(rsa, `RS${bits}`, digestOf(`sha${bits}`), random)
    expect(signature).toEqual(sign(`sha${bits}`, message, privateKeyOf(rsa)))
    expect(verifyDigest(rsa, `RS${bits}`, digestOf(`sha${bits}`), signature)).toBe(true)
  })

  it.each(['256', '384', '512'])('PS%s, with a salt as long as the hash', (bits) => {
    const key = privateKeyOf(rsa)
    const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
    const digest = digestOf(`sha${bits}`)
    const ours = signDigest(rsa, `PS${bits}`, digest, random)
    expect(verify(`sha${bits}`, message, { key: createPublicKey(key), ...pss }, ours)).toBe(true)
    const theirs = sign(`sha${bits}`, message, { key, ...pss })
    expect(verifyDigest(rsa, `PS${bits}`, digest, theirs)).toBe(true)
    theirs[100]! ^= 1
    expect(verifyDigest(rsa, `PS${bits}`, digest, theirs)).toBe(false)
  })

  it.each([
    ['ES256', 'P-256', 'sha256', 64],
    ['ES384', 'P-384', 'sha384', 96],
    ['ES512', 'P-521', 'sha512', 132],
    ['ES256K', 'P-256K', 'sha256', 64],
  ] as const)('%s', async (alg, curve, hash, size) => {
    const material = await ec(curve)
    const key = privateKeyOf(material)
    const ours = signDigest(material, alg, digestOf(hash), random)
    expect(ours).toHaveLength(size)
    expect(verify(hash, message, { key: createPublicKey(key), dsaEncoding: 'ieee-p1363' }, ours)).toBe(true)
    const theirs = sign(hash, message, { key, dsaEncoding: 'ieee-p1363' })
    expect(verifyDigest(material, alg, digestOf(hash), theirs)).toBe(true)
    expect(verifyDigest(material, alg, Buffer.alloc(digestOf(hash).length, 1), theirs)).toBe(false)
    expect(verifyDigest(material, alg, digestOf(hash), randomBytes(size))).toBe(false)
  })

  it('refuses a digest of another length, an algorithm of another curve or type', async () => {
    const p256 = await ec('P-256')
    expect(() => signDigest(rsa, 'RS256', digestOf('sha384'), random)).toThrow(
      "Invalid length of 'value': 48 bytes. RS256 requires 32 bytes, encoded with base64url.",
    )
    expect(() => verifyDigest(p256, 'ES256', digestOf('sha384'), digestOf('sha256'))).toThrow(
      "Invalid length of 'digest': 48 bytes. ES256 requires 32 bytes",
    )
    expect(() => signDigest(p256, 'ES384', digestOf('sha384'), random)).toThrow('ES384 is not supported')
    expect(() => signDigest(p256, 'RS256', digestOf('sha256'), random)).toThrow('RS256 is not supported')
    expect(() => signDigest(rsa, 'ES256', digestOf('sha256'), random)).toThrow('ES256 is not supported')
    const material = await oct(256)
    for (const alg of ['constructor', '__proto__', 'RS256']) {
      expect(() => signDigest(material, alg, digestOf('sha256'), random)).toThrow(`${alg} is not supported`)
    }
  })
})

describe('encryption with a symmetric key', () => {
  const value = Buffer.from('0123456789abcdef')
  const iv = Buffer.alloc(16, 7)

  it.each([
    [128, 'A128CBC'],
    [192, 'A192CBCPAD'],
    [256, 'A256CBCPAD'],
  ] as const)('%i bits, %s, comes back', async (size, alg) => {
    const material = await oct(size)
    const sealed = seal(material, { alg, value, iv }, 'encrypt', random)
    expect(sealed.iv).toEqual(iv)
    expect(open(material, { alg, value: sealed.value, iv }, 'decrypt').value).toEqual(value)
  })

  it('CBC fills the last block with zeros, which come back', async () => {
    const material = await oct(256)
    const sealed = seal(material, { alg: 'A256CBC', value: Buffer.from('twenty bytes of text'), iv }, 'encrypt', random)
    const opened = open(material, { alg: 'A256CBC', value: sealed.value, iv }, 'decrypt').value
    expect(opened.toString('latin1')).toBe(`twenty bytes of text${'\0'.repeat(12)}`)
  })

  it('GCM takes its nonce back in 12 bytes, or in 16 as older answers had it', async () => {
    const material = await oct(256)
    const { value: ciphertext, iv: nonce, tag } = seal(material, { alg: 'A256GCM', value, iv }, 'encrypt', random)
    expect(nonce).toHaveLength(12)
    for (const sent of [nonce!, Buffer.concat([nonce!, Buffer.alloc(4)])]) {
      expect(open(material, { alg: 'A256GCM', value: ciphertext, iv: sent, tag: tag! }, 'decrypt').value).toEqual(value)
    }
    const other = { alg: 'A256GCM', value: ciphertext, iv: nonce!, tag: Buffer.alloc(16) }
    expect(() => open(material, other, 'decrypt')).toThrow('The parameter is incorrect.')
  })

  it('refuses an algorithm of another size, and CBC without its iv', async () => {
    const material: StoredMaterial = await oct(128)
    expect(() => seal(material, { alg: 'A256GCM', value }, 'encrypt', random)).toThrow('A256GCM is not supported')
    expect(() => seal(material, { alg: 'A256KW', value }, 'wrapKey', random)).toThrow('A256KW is not supported')
    expect(() => seal(material, { alg: 'A128CBC', value }, 'encrypt', random)).toThrow('16 bytes are needed')
  })
})
