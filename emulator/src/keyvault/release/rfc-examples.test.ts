import { X509Certificate } from 'node:crypto'
import { calculateJwkThumbprint, compactVerify, importJWK } from 'jose'
import { beforeEach, describe, expect, it } from 'vitest'
import { createAttestationTokens } from './attestation-token.ts'
import { readRsaJwk } from './rsa-jwk.ts'
import { createIssuerWorld, type IssuerWorld } from './test-issuer.ts'
import {
  RFC_7515,
  RFC_7515_A2_KEY,
  RFC_7516_A1,
  RFC_7517_A1,
  RFC_7517_A3_OCT,
  RFC_7517_B,
  RFC_7638_THUMBPRINT,
} from './test-rfc-examples.ts'
import { chooseWrappingKey } from './wrapping-key.ts'

let world: IssuerWorld
beforeEach(() => {
  world = createIssuerWorld()
})

describe('the examples are those of the standards', () => {
  it('RFC 7515 A.2 verifies under its own key', async () => {
    const { payload } = await compactVerify(RFC_7515.A2_RS256, await importJWK(RFC_7515_A2_KEY, 'RS256'))
    expect(JSON.parse(new TextDecoder().decode(payload))).toMatchObject({ iss: 'joe' })
  })

  it('RFC 7517 A.1 has the thumbprint of RFC 7638, and B one key in both its forms', async () => {
    expect(await calculateJwkThumbprint(RFC_7517_A1.rsa)).toBe(RFC_7638_THUMBPRINT)
    const certificate = new X509Certificate(Buffer.from(RFC_7517_B.x5c[0], 'base64'))
    expect(certificate.publicKey.export({ format: 'jwk' })).toMatchObject({ n: RFC_7517_B.n, e: RFC_7517_B.e })
  })
})

describe('as an attestation token', () => {
  it.each<[keyof typeof RFC_7515, string[]]>([
    ['A1_HS256', ['token.alg', 'token.iss', 'token.exp']],
    ['A2_RS256', ['token.iss', 'token.exp']],
    ['A3_ES256', ['token.alg', 'token.iss', 'token.exp']],
    ['A4_ES512', ['token']],
    ['A5_none', ['token.alg', 'token.iss', 'token.exp']],
  ])('RFC 7515 %s is refused for %j', async (name, reasons) => {
    // Even where its key is published: nobody asks "joe".
    world.issuer.keySet = { keys: [RFC_7515_A2_KEY] }
    const { verified, claims, conditions } = await createAttestationTokens(world.ctx).read(RFC_7515[name])
    expect({ verified, claims }).toEqual({ verified: false, claims: undefined })
    expect(conditions.filter(({ met }) => !met).map((condition) => condition.name)).toEqual(reasons)
    expect(world.issuer.asked).toEqual([])
  })

  it('RFC 7516 A.1 is refused for being encrypted', async () => {
    const { conditions } = await createAttestationTokens(world.ctx).read(RFC_7516_A1)
    expect(conditions).toMatchObject([{ name: 'token', found: 'an encrypted JWT (JWE)' }])
  })
})

describe('as wrapping keys', () => {
  const choose = (...keys: object[]) => chooseWrappingKey({ 'x-ms-runtime': { keys } })

  it('the key set of RFC 7517 A.1 has none: one is no RSA key, the other is not marked for encryption', () => {
    const { chosen, condition } = choose(RFC_7517_A1.ec, RFC_7517_A1.rsa)
    expect(chosen).toBeUndefined()
    expect(condition.found).toEqual([
      { kid: '1', problem: 'is not an RSA key' },
      { kid: '2011-04-29', problem: 'is not marked for encryption (use, key_use or key_ops)' },
    ])
  })

  it.each([{ use: 'enc' }, { key_use: 'enc' }, { key_ops: ['encrypt'] }])('its RSA key is one under %j', (mark) => {
    expect(choose(RFC_7517_A1.ec, { ...RFC_7517_A1.rsa, ...mark }).chosen?.kid).toBe('2011-04-29')
  })

  it('RFC 7517 B is none, being for signatures, and is one by its certificate alone when marked', () => {
    expect(choose(RFC_7517_B).chosen).toBeUndefined()
    const { n, e, ...certified } = RFC_7517_B
    const { chosen } = choose({ ...certified, use: 'enc' })
    expect(chosen?.key.export({ format: 'jwk' })).toMatchObject({ n, e })
  })

  it('a certificate of RFC 7517 B beside another key’s numbers is none', () => {
    const { chosen, condition } = choose({ ...RFC_7517_B, n: RFC_7517_A1.rsa.n, use: 'enc' })
    expect(chosen).toBeUndefined()
    expect(condition.found).toEqual([{ kid: '1b94c', problem: 'has a certificate of another key than its n and e' }])
  })

  it('a symmetric key (RFC 7517 A.3) is none', () => {
    expect(readRsaJwk(RFC_7517_A3_OCT)).toEqual({ problem: 'is not an RSA key' })
    expect(choose({ ...RFC_7517_A3_OCT, kid: 'k', use: 'enc' }).chosen).toBeUndefined()
  })
})
