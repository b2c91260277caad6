import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { CLIENT_AUTH, issue, SERVER_AUTH } from '../testing/certificates.ts'
import { intermediate, json, leaf, root, signJws, VAULT_HOST } from '../testing/vault.ts'
import { verifyReleaseJws } from './jws.ts'
import { trustStoreOf } from './trust-store.ts'

const PAYLOAD = { response: 'a key' }
const options = { hostName: VAULT_HOST, trust: trustStoreOf([root.pem]), nowMs: Date.parse('2026-01-01T00:00:00Z') }
const refusal = (jws: string, changed: Partial<typeof options> = {}) => {
  try {
    verifyReleaseJws(jws, { ...options, ...changed })
  } catch (error) {
    return error
  }
  return 'accepted'
}
/** Of every certificate that is not the vault's own: such a key takes long to make. */
const pair = generateKeyPairSync('rsa', { modulusLength: 2048 })
const names = { dnsNames: ['*.vault.azure.net'], usages: [SERVER_AUTH] }

describe("the signature of a vault's answer", () => {
  it.each(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'])('by %s is accepted', (alg) => {
    expect(verifyReleaseJws(signJws(PAYLOAD, { alg }), options)).toEqual(PAYLOAD)
  })

  it('over another payload is refused', () => {
    const [header, , signature] = signJws(PAYLOAD).split('.')
    expect(refusal(`${header}.${json({ response: 'another key' })}.${signature}`)).toMatchObject({
      code: 'ERR_RELEASE_SIGNATURE',
    })
  })

  it("by another key than the certificate's is refused", () => {
    const { privateKey } = issue({ name: 'other', key: 'rsa' })
    expect(refusal(signJws(PAYLOAD, { signer: privateKey }))).toMatchObject({ code: 'ERR_RELEASE_SIGNATURE' })
  })

  it.each(['none', 'HS256', 'ES256', 'rs256', '__proto__', 7])('by the algorithm %s is refused', (alg) => {
    expect(refusal(signJws(PAYLOAD, { header: { alg } }))).toMatchObject({ code: 'ERR_RELEASE_ALGORITHM' })
  })

  it('by an EC certificate is refused, whatever the header says', () => {
    const ec = issue({ name: VAULT_HOST, issuer: intermediate, ...names })
    expect(refusal(signJws(PAYLOAD, { chain: [ec, intermediate, root] }))).toMatchObject({
      code: 'ERR_RELEASE_JWS',
      message: expect.stringContaining('RSA'),
    })
  })

  it('with an extension that must be understood is refused', () => {
    expect(refusal(signJws(PAYLOAD, { header: { crit: ['exp'] } }))).toMatchObject({ code: 'ERR_RELEASE_JWS' })
  })

  it.each([
    ['no JWS', 'abc'],
    ['a JWS in four parts', `${signJws(PAYLOAD)}.x`],
    ['no chain', signJws(PAYLOAD, { header: { x5c: undefined } })],
    ['an empty chain', signJws(PAYLOAD, { header: { x5c: [] } })],
    ['a chain that is not base64', signJws(PAYLOAD, { header: { x5c: ['-_-_'] } })],
    ['a header that is not JSON', `${Buffer.from('{').toString('base64url')}.e30.AA`],
    ['a header that is padded', `${signJws(PAYLOAD).split('.')[0]}==.e30.AA`],
  ])('is refused on %s', (_what, jws) => {
    expect(refusal(jws)).toMatchObject({ code: 'ERR_RELEASE_JWS' })
  })
})

describe("the chain of a vault's answer", () => {
  it('need not include the root', () => {
    expect(refusal(signJws(PAYLOAD, { chain: [leaf, intermediate] }))).toBe('accepted')
  })

  it('may come in another order behind the leaf, with certificates that are of no use', () => {
    const stray = issue({ name: 'Stray', ca: true })
    expect(refusal(signJws(PAYLOAD, { chain: [leaf, stray, root, intermediate] }))).toBe('accepted')
  })

  it('that ends in a root of its own is refused', () => {
    const ownRoot = issue({ name: 'Test Root', ca: true })
    const own = issue({ name: VAULT_HOST, issuer: ownRoot, key: pair, ...names })
    expect(refusal(signJws(PAYLOAD, { chain: [own, ownRoot] }))).toMatchObject({ code: 'ERR_RELEASE_CHAIN' })
  })

  it('that lacks its intermediate is refused', () => {
    expect(refusal(signJws(PAYLOAD, { chain: [leaf, root] }))).toMatchObject({ code: 'ERR_RELEASE_CHAIN' })
  })

  it('that runs through a certificate that is no CA is refused', () => {
    const server = issue({ name: 'Server', issuer: root, ...names })
    const below = issue({ name: VAULT_HOST, issuer: server, key: pair, ...names })
    expect(refusal(signJws(PAYLOAD, { chain: [below, server, root] }))).toMatchObject({ code: 'ERR_RELEASE_CHAIN' })
  })

  it("that is longer than a CA's path length is refused", () => {
    const below = issue({ name: 'Below', issuer: intermediate, ca: true })
    const far = issue({ name: VAULT_HOST, issuer: below, key: pair, ...names })
    expect(refusal(signJws(PAYLOAD, { chain: [far, below, intermediate, root] }))).toMatchObject({
      code: 'ERR_RELEASE_CHAIN',
    })
  })

  it('through a CA that may not vouch for the host is refused, and through one that may is accepted', () => {
    const through = (permitted: string) => {
      const limited = issue({ name: 'Limited', issuer: root, ca: true, permittedNames: [permitted] })
      const below = issue({ name: VAULT_HOST, issuer: limited, key: pair, ...names })
      return refusal(signJws(PAYLOAD, { chain: [below, limited, root] }))
    }
    expect(through('managedhsm.azure.net')).toMatchObject({ code: 'ERR_RELEASE_CHAIN' })
    expect(through('vault.azure.net')).toBe('accepted')
  })

  it.each([
    ['a critical extension that is not understood', { oid: '1.2.3.4', der: new Uint8Array([5, 0]), critical: true }],
    ['name constraints that cannot be read', { oid: '2.5.29.30', der: new Uint8Array([4, 1, 0]), critical: true }],
  ])('through a CA with %s is refused, and so is a leaf with it', (_what, extension) => {
    const odd = issue({ name: 'Odd', issuer: root, ca: true, extensions: [extension] })
    const below = issue({ name: VAULT_HOST, issuer: odd, key: pair, ...names })
    expect(refusal(signJws(PAYLOAD, { chain: [below, odd, root] }))).toMatchObject({ code: 'ERR_RELEASE_CHAIN' })
    const oddLeaf = issue({ name: VAULT_HOST, issuer: root, key: pair, extensions: [extension], ...names })
    expect(refusal(signJws(PAYLOAD, { chain: [oddLeaf, root] }))).toMatchObject({ code: 'ERR_RELEASE_CHAIN' })
  })

  it('of signatures over SHA-1 is refused, but for that of a root over itself', () => {
    const oldRoot = issue({ name: 'Old Root', ca: true, hash: 'sha1' })
    const through = (hash: 'sha1' | 'sha256') => {
      const middle = issue({ name: 'Middle', issuer: oldRoot, ca: true, hash })
      const below = issue({ name: VAULT_HOST, issuer: middle, key: pair, ...names })
      return refusal(signJws(PAYLOAD, { chain: [below, middle, oldRoot] }), { trust: trustStoreOf([oldRoot.pem]) })
    }
    expect(through('sha256')).toBe('accepted')
    expect(through('sha1')).toMatchObject({ code: 'ERR_RELEASE_CHAIN' })
  })

  it.each(['2024-12-31T00:00:00Z', '2035-01-02T00:00:00Z'])('is refused at %s, when it is not valid', (at) => {
    expect(refusal(signJws(PAYLOAD), { nowMs: Date.parse(at) })).toMatchObject({
      code: 'ERR_RELEASE_CHAIN',
      message: expect.stringContaining('valid from'),
    })
  })

  it('with an expired CA in it is refused', () => {
    const old = issue({ name: 'Old', issuer: root, ca: true, to: '2025-06-01T00:00:00Z' })
    const below = issue({ name: VAULT_HOST, issuer: old, key: pair, ...names })
    expect(refusal(signJws(PAYLOAD, { chain: [below, old, root] }))).toMatchObject({ code: 'ERR_RELEASE_CHAIN' })
  })

  it('must name the host that was asked', () => {
    expect(refusal(signJws(PAYLOAD), { hostName: 'contoso.managedhsm.azure.net' })).toMatchObject({
      code: 'ERR_RELEASE_HOST_NAME',
    })
  })

  it('does not name a host by its common name', () => {
    const nameless = issue({ name: VAULT_HOST, issuer: intermediate, key: pair })
    expect(refusal(signJws(PAYLOAD, { chain: [nameless, intermediate] }))).toMatchObject({
      code: 'ERR_RELEASE_HOST_NAME',
    })
  })

  it('with a leaf for clients only is refused; one without any usage is accepted', () => {
    const leafWith = (usages?: string[]) =>
      issue({ name: VAULT_HOST, issuer: intermediate, key: pair, dnsNames: [VAULT_HOST], ...(usages && { usages }) })
    expect(refusal(signJws(PAYLOAD, { chain: [leafWith([CLIENT_AUTH]), intermediate] }))).toMatchObject({
      code: 'ERR_RELEASE_CHAIN',
    })
    expect(refusal(signJws(PAYLOAD, { chain: [leafWith(), intermediate] }))).toBe('accepted')
  })
})

describe('a chain that was made to keep the reader busy', () => {
  it('is given up: authorities that all name and sign each other', () => {
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const loop = Array.from({ length: 30 }, () => issue({ name: 'loop', key: ec, ca: true }))
    const caught = issue({ name: VAULT_HOST, key: pair, issuer: loop[0]!, ...names })
    expect(refusal(signJws(PAYLOAD, { chain: [caught, ...loop], signer: caught.privateKey }))).toMatchObject({
      code: 'ERR_RELEASE_CHAIN',
      message: expect.stringContaining('too many'),
    })
  })

  it('is not asked how large its key is before it is trusted: the answer would break the next key that is read', () => {
    const n = Buffer.alloc(2_500, 0xff).toString('base64url')
    const publicKey = createPublicKey({ key: { kty: 'RSA', n, e: 'AQAB' }, format: 'jwk' })
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
    const huge = issue({ name: VAULT_HOST, key: { publicKey, privateKey: other }, ...names })
    expect(refusal(signJws(PAYLOAD, { chain: [huge], signer: other }))).toMatchObject({ code: 'ERR_RELEASE_CHAIN' })
    expect(() => createPrivateKey(other.export({ type: 'pkcs8', format: 'pem' }))).not.toThrow()
  })
})
