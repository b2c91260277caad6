import { constants, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { encodeSigStructure, encodeUtf8 } from '@skerry/guest/wire'
import { describe, expect, it } from 'vitest'
import { isSignedByKey } from './cose-signature.ts'

const protectedBytes = encodeUtf8('protected')
const payload = encodeUtf8('payload')
const signed = encodeSigStructure(protectedBytes, payload)

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ec = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve })
const curves = { 'P-256': ec('P-256'), 'P-384': ec('P-384'), 'P-521': ec('P-521') }

const ecdsa = (hash: string, key: KeyObject) => new Uint8Array(sign(hash, signed, { key, dsaEncoding: 'ieee-p1363' }))
const pss = (hash: string, key: KeyObject, saltLength: number) =>
  new Uint8Array(sign(hash, signed, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength }))
const verified = (alg: number, signature: Uint8Array, key: KeyObject, change: object = {}) =>
  isSignedByKey({ alg, protectedBytes, payload, signature, ...change }, key)

describe('a COSE signature', () => {
  it.each([
    ['ES256', -7, 'sha256', 'P-256'],
    ['ES384', -35, 'sha384', 'P-384'],
    ['ES512', -36, 'sha512', 'P-521'],
    // RFC 9053: the number says the hash, the key says the curve. Microsoft signs so.
    ['ES384 with a key on P-256', -35, 'sha384', 'P-256'],
  ] as const)('verifies by %s', (_, alg, hash, curve) => {
    const { publicKey, privateKey } = curves[curve]
    const signature = ecdsa(hash, privateKey)
    expect(verified(alg, signature, publicKey)).toBe(true)
    expect(verified(alg, signature, publicKey, { payload: encodeUtf8('Payload') })).toBe(false)
    expect(verified(alg, signature, publicKey, { protectedBytes: encodeUtf8('Protected') })).toBe(false)
  })

  it.each([
    ['PS256', -37, 'sha256', 32],
    ['PS384', -38, 'sha384', 48],
    ['PS512', -39, 'sha512', 64],
  ] as const)('verifies by %s', (_, alg, hash, salt) => {
    const signature = pss(hash, rsa.privateKey, salt)
    expect(verified(alg, signature, rsa.publicKey)).toBe(true)
    expect(verified(alg, signature, rsa.publicKey, { payload: encodeUtf8('Payload') })).toBe(false)
  })

  it('must have the salt of its algorithm', () => {
    expect(verified(-38, pss('sha384', rsa.privateKey, 20), rsa.publicKey)).toBe(false)
  })

  it.each([
    ['RS256', -257, 'sha256'],
    ['RS384', -258, 'sha384'],
  ])('is not taken by %s: PKCS #1 v1.5 is not in the list', (_, alg, hash) => {
    expect(verified(alg, new Uint8Array(sign(hash, signed, rsa.privateKey)), rsa.publicKey)).toBe(false)
  })

  it('is not taken by EdDSA', () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519')
    expect(verified(-8, new Uint8Array(sign(null, signed, privateKey)), publicKey)).toBe(false)
  })

  it('of RSA does not verify under an algorithm of ECDSA, nor the other way', () => {
    expect(verified(-35, pss('sha384', rsa.privateKey, 48), rsa.publicKey)).toBe(false)
    expect(verified(-38, ecdsa('sha384', curves['P-384'].privateKey), curves['P-384'].publicKey)).toBe(false)
  })

  it('of ECDSA is R and S, not DER', () => {
    const { publicKey, privateKey } = curves['P-384']
    expect(verified(-35, new Uint8Array(sign('sha384', signed, privateKey)), publicKey)).toBe(false)
  })

  it('of a key shorter than 2048 bits is not taken', () => {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 1024 })
    expect(verified(-37, pss('sha256', privateKey, 32), publicKey)).toBe(false)
  })

  it('by a number that is a property of every object is not taken', () => {
    expect(verified('constructor' as unknown as number, new Uint8Array(256), rsa.publicKey)).toBe(false)
  })
})
