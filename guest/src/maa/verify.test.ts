import { createHash, createHmac, createPublicKey, type KeyObject } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { stillClock } from '../testing/clock.ts'
import { createProvider, MAA, now } from '../testing/provider.ts'
import { json } from '../testing/vault.ts'
import { atLeast } from './required-claims.ts'
import { type VerifyAttestationTokenOptions, verifyAttestationToken } from './verify.ts'

const provider = createProvider()
const other = createProvider()
const clock = stillClock()
const verify = (text: string, options: Partial<VerifyAttestationTokenOptions> = {}) =>
  verifyAttestationToken(text, { authority: MAA, fetch: provider.fetch, clock, ...options })
const sign = (claims: object = {}, header: object = {}, key?: KeyObject) => provider.token(claims, { header, key })

describe('an attestation token', () => {
  it('is verified with the key that the provider publishes, wherever the token points', async () => {
    const token = sign({ 'x-ms-ver': '1.0' }, { jku: 'https://elsewhere.example/certs' })
    await expect(verify(token)).resolves.toMatchObject({ 'x-ms-ver': '1.0' })
    expect(new Set(provider.asked)).toEqual(new Set([`https://${MAA}/certs`]))
  })

  it('of any of the named authorities is verified with the keys of the one that issued it', async () => {
    const authority = ['https://other.weu.attest.azure.net', MAA]
    await expect(verify(sign(), { authority })).resolves.toMatchObject({ iss: `https://${MAA}` })
  })

  it.each([
    ['that is no JWT', () => 'abc', 'ERR_TOKEN_MALFORMED'],
    ['that is too long', () => 'e'.repeat(300_000), 'ERR_TOKEN_MALFORMED'],
    ['of another signer', () => sign({}, {}, other.privateKey), 'ERR_TOKEN_SIGNATURE'],
    ['with a kid that is not published', () => sign({}, { kid: 'x' }), 'ERR_TOKEN_KEY'],
    ['without a kid', () => sign({}, { kid: undefined }), 'ERR_TOKEN_KEY'],
    [
      'with algorithm none',
      () => `${json({ alg: 'none', kid: 'a+/b=' })}.${json({ iss: `https://${MAA}` })}.`,
      'ERR_TOKEN_ALGORITHM',
    ],
    ['with an algorithm that was not allowed', () => sign({}, { alg: 'PS256' }), 'ERR_TOKEN_ALGORITHM'],
    ['with a secret for a key', () => sign({}, { alg: 'HS256' }), 'ERR_TOKEN_ALGORITHM'],
    ['of another issuer', () => sign({ iss: 'https://other.attest.azure.net' }), 'ERR_TOKEN_ISSUER'],
    ['without an issuer', () => sign({ iss: undefined }), 'ERR_TOKEN_ISSUER'],
    ['that has expired', () => sign({ exp: now - 61 }), 'ERR_TOKEN_EXPIRED'],
    ['that never expires', () => sign({ exp: undefined }), 'ERR_TOKEN_CLAIM'],
    ['that is not valid yet', () => sign({ nbf: now + 61 }), 'ERR_TOKEN_NOT_YET_VALID'],
    ['whose boolean is a text', () => sign({ 'x-ms-sevsnpvm-is-debuggable': 'false' }), 'ERR_TOKEN_MALFORMED'],
    ['whose version is a text', () => sign({ 'x-ms-sevsnpvm-tee-svn': '3' }), 'ERR_TOKEN_MALFORMED'],
    ['of a guest that may be debugged', () => sign({ 'x-ms-sevsnpvm-is-debuggable': true }), 'ERR_TOKEN_DEBUGGABLE'],
    [
      'of a virtual machine that may be debugged',
      () => sign({ 'x-ms-isolation-tee': { 'x-ms-sevsnpvm-is-debuggable': true } }),
      'ERR_TOKEN_DEBUGGABLE',
    ],
  ])('%s is refused, and not repeated in the error', async (_what, make, code) => {
    const error = await verify(make()).catch((thrown) => thrown)
    expect(error).toMatchObject({ name: 'AttestationTokenError', code })
    expect(error.message).not.toContain('eyJ')
  })

  it('of a guest that may be debugged passes where that was asked for', async () => {
    const token = sign({ 'x-ms-sevsnpvm-is-debuggable': true })
    await expect(verify(token, { allowDebuggable: true })).resolves.toBeDefined()
  })

  it('may be asked to be young', async () => {
    await expect(verify(sign({ iat: now - 100 }), { maxAgeSeconds: 120 })).resolves.toBeDefined()
    await expect(verify(sign({ iat: now - 181 }), { maxAgeSeconds: 120 })).rejects.toMatchObject({
      code: 'ERR_TOKEN_TOO_OLD',
    })
  })

  it('may be asked to answer a challenge', async () => {
    const token = sign({ nonce: '13202930541250959283' })
    await expect(verify(token, { nonce: '13202930541250959283' })).resolves.toBeDefined()
    await expect(verify(token, { nonce: '1' })).rejects.toMatchObject({ code: 'ERR_TOKEN_NONCE' })
    await expect(verify(sign(), { nonce: '1' })).rejects.toMatchObject({ code: 'ERR_TOKEN_NONCE' })
  })

  it('may be asked to attest certain bytes', async () => {
    const runtimeData = Buffer.from('{"keys":[]}')
    const reportData = createHash('sha256').update(runtimeData).digest('hex') + '0'.repeat(64)
    const token = sign({ 'x-ms-sevsnpvm-reportdata': reportData })
    await expect(verify(token, { runtimeData })).resolves.toBeDefined()
    await expect(verify(token, { runtimeData: Buffer.from('{}') })).rejects.toMatchObject({
      code: 'ERR_TOKEN_RUNTIME_DATA',
      claim: 'x-ms-sevsnpvm-reportdata',
    })
    await expect(verify(sign(), { runtimeData })).rejects.toMatchObject({ code: 'ERR_TOKEN_RUNTIME_DATA' })
  })

  it('is not verified with an algorithm that needs no key pair, even when asked to', async () => {
    await expect(verify(sign(), { algorithms: ['HS256' as 'RS256'] })).rejects.toMatchObject({
      code: 'ERR_INVALID_ARGUMENT',
      field: 'algorithms',
    })
  })

  it.each([
    ['maxAgeSeconds', Number.NaN],
    ['clockToleranceSeconds', Number('a minute')],
    ['clockToleranceSeconds', Number.POSITIVE_INFINITY],
    ['maxAgeSeconds', -1],
  ])('is not verified against a %s that is no time: %d', async (field, seconds) => {
    await expect(verify(sign(), { [field]: seconds })).rejects.toMatchObject({ code: 'ERR_INVALID_ARGUMENT', field })
  })

  it.each([`https://${MAA.toUpperCase()}/`, `${MAA}:443`, ` https://${MAA}`])(
    'is of its authority however that is written: %s',
    async (authority) => {
      await expect(verify(sign(), { authority })).resolves.toMatchObject({ iss: `https://${MAA}` })
    },
  )

  it.each([`https://${MAA}/`, `https://${MAA}:443`, `http://${MAA}`, MAA, `https://${MAA}:8443`])(
    'names its authority as the service writes it, and not %s',
    async (iss) => {
      await expect(verify(sign({ iss }))).rejects.toMatchObject({ code: 'ERR_TOKEN_ISSUER' })
    },
  )

  it('is not believed by a key or chain of its own', async () => {
    const { n, e, kty } = createPublicKey(other.privateKey).export({ format: 'jwk' })
    const headers = [{ jwk: { n, e, kty } }, { x5c: (other.entry('x') as { x5c: string[] }).x5c }, { x5u: 'https://x' }]
    for (const header of headers) {
      await expect(verify(sign({}, header, other.privateKey))).rejects.toMatchObject({ code: 'ERR_TOKEN_SIGNATURE' })
      await expect(verify(sign({}, { ...header, kid: 'x' }, other.privateKey))).rejects.toMatchObject({
        code: 'ERR_TOKEN_KEY',
      })
    }
  })

  it('is not verified with a public key as the secret of a MAC', async () => {
    const [signed = ''] = [sign({}, { alg: 'HS256' }).replace(/\.[^.]*$/, '')]
    const pem = createPublicKey(provider.privateKey).export({ format: 'pem', type: 'spki' })
    const forged = `${signed}.${createHmac('sha256', pem).update(signed).digest('base64url')}`
    await expect(verify(forged)).rejects.toMatchObject({ code: 'ERR_TOKEN_ALGORITHM' })
  })

  it('is not verified for nobody', async () => {
    await expect(verify(sign(), { authority: [] })).rejects.toMatchObject({ field: 'authority' })
  })
})

describe('required claims', () => {
  const token = sign({
    'x-ms-attestation-type': 'sevsnpvm',
    'x-ms-sevsnpvm-hostdata': 'ab'.repeat(32),
    'x-ms-sevsnpvm-vmpl': 0,
    'x-ms-sevsnpvm-microcode-svn': 219,
    'x-ms-sevsnpvm-uvm-endorsement': { 'x-ms-sevsnpvm-guestsvn': '100' },
  })

  it.each([
    ['a value', { 'x-ms-sevsnpvm-hostdata': 'ab'.repeat(32), 'x-ms-sevsnpvm-vmpl': 0 }],
    ['one of several values', { 'x-ms-attestation-type': ['sgx', 'sevsnpvm'] }],
    ['a least version', { 'x-ms-sevsnpvm-microcode-svn': atLeast(219) }],
    [
      'a member, its version in decimal text',
      { 'x-ms-sevsnpvm-uvm-endorsement': { 'x-ms-sevsnpvm-guestsvn': atLeast(100) } },
    ],
    ['a test', { 'x-ms-sevsnpvm-hostdata': (value: unknown) => String(value).startsWith('ab') }],
  ])('can be %s', async (_what, claims) => {
    await expect(verify(token, { claims })).resolves.toBeDefined()
  })

  it.each([
    [{ 'x-ms-sevsnpvm-hostdata': 'cd'.repeat(32) }, 'x-ms-sevsnpvm-hostdata', 'required is "cdcd'],
    [{ 'x-ms-sevsnpvm-vmpl': '0' }, 'x-ms-sevsnpvm-vmpl', 'is 0; required is "0"'],
    [{ 'x-ms-compliance-status': 'azure-compliant-uvm' }, 'x-ms-compliance-status', 'is missing'],
    [{ toString: 'x' }, 'toString', 'is missing'],
    [{ 'x-ms-attestation-type': ['sgx'] }, 'x-ms-attestation-type', 'one of "sgx"'],
    [{ 'x-ms-sevsnpvm-microcode-svn': atLeast(220) }, 'x-ms-sevsnpvm-microcode-svn', 'at least 220'],
    [
      { 'x-ms-sevsnpvm-uvm-endorsement': { 'x-ms-sevsnpvm-guestsvn': atLeast(101) } },
      'x-ms-sevsnpvm-uvm-endorsement.x-ms-sevsnpvm-guestsvn',
      'at least 101',
    ],
    [{ 'x-ms-sevsnpvm-vmpl': { a: 1 } }, 'x-ms-sevsnpvm-vmpl', 'is not an object'],
    [{ 'x-ms-sevsnpvm-vmpl': async () => true }, 'x-ms-sevsnpvm-vmpl', 'what passes a test'],
    [{ 'x-ms-sevsnpvm-hostdata': undefined }, 'x-ms-sevsnpvm-hostdata', 'required is undefined'],
    [{ 'x-ms-sevsnpvm-hostdata': null }, 'x-ms-sevsnpvm-hostdata', 'required is null'],
    [{ 'x-ms-sevsnpvm-hostdata': [] }, 'x-ms-sevsnpvm-hostdata', 'one of'],
  ])('that are not met are named: %o', async (claims, claim, words) => {
    await expect(verify(token, { claims: claims as never })).rejects.toMatchObject({
      code: 'ERR_TOKEN_CLAIM',
      claim,
      message: expect.stringContaining(words),
    })
  })

  it('that are a least version need a version', () => {
    expect(() => atLeast(Number('x'))).toThrow(expect.objectContaining({ field: 'minimum' }))
  })
})
