import { createPublicKey, generateKeyPairSync, sign } from 'node:crypto'
import { compactVerify } from 'jose'
import { expect, it } from 'vitest'
import { RFC_7515, RFC_7515_A2_KEY } from '../keyvault/release/test-rfc-examples.ts'
import { signJws, verifiesJws } from './jws.ts'

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const PAYLOAD = '{"sub":"Größe"}'
const signed = signJws({ alg: 'RS256' }, PAYLOAD, privateKey)

it('signs what a library verifies, header and payload as they were given', async () => {
  const { payload, protectedHeader } = await compactVerify(signed, publicKey)
  expect([new TextDecoder().decode(payload), protectedHeader]).toEqual([PAYLOAD, { alg: 'RS256' }])
  expect(verifiesJws(signed, publicKey)).toBe(true)
})

it('verifies the example of RFC 7515 A.2', () => {
  expect(verifiesJws(RFC_7515.A2_RS256, createPublicKey({ key: { ...RFC_7515_A2_KEY }, format: 'jwk' }))).toBe(true)
})

it.each([
  ['another payload', signed.replace(/\..*\./s, `.${Buffer.from('{"sub":"other"}').toString('base64url')}.`)],
  ['another header', signed.replace('.', 'A.')],
  ['no signature', signed.slice(0, signed.lastIndexOf('.') + 1)],
  ['no parts', signed.replaceAll('.', '')],
  ['nothing at all', ''],
])('does not verify %s', (_what, jws) => {
  expect(verifiesJws(jws, publicKey)).toBe(false)
})

it('takes no character after a signature that is whole', () => {
  // 192 bytes are 256 characters: one more would be no byte.
  const long = generateKeyPairSync('rsa', { modulusLength: 1536 })
  const jws = signJws({ alg: 'RS256' }, PAYLOAD, long.privateKey)
  expect([verifiesJws(jws, long.publicKey), verifiesJws(`${jws}A`, long.publicKey)]).toEqual([true, false])
})

it('takes the signature of another key for none, and an EC key for no key', () => {
  const other = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  expect([verifiesJws(signed, other.publicKey), verifiesJws(signed, ec.publicKey)]).toEqual([false, false])
  // What OpenSSL would verify with the hash of RS256 and that key.
  const input = signed.slice(0, signed.lastIndexOf('.'))
  const byEc = sign('sha256', Buffer.from(input), ec.privateKey).toString('base64url')
  expect(verifiesJws(`${input}.${byEc}`, ec.publicKey)).toBe(false)
})
