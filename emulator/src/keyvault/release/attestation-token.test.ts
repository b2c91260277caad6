import { createHmac, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import { type AttestationTokens, createAttestationTokens } from './attestation-token.ts'
import { base64Url, compact, createIssuerWorld, ISSUER, type IssuerWorld, KID } from './test-issuer.ts'

let world: IssuerWorld
let tokens: AttestationTokens
beforeEach(() => {
  world = createIssuerWorld()
  tokens = createAttestationTokens(world.ctx)
})

const attacker = generateKeyPairSync('rsa', { modulusLength: 2048 })
const attackerJwk = attacker.publicKey.export({ format: 'jwk' })
const seconds = () => Math.floor(world.clock.now() / 1000)

/** The names of the conditions that a token does not meet, and what a person is told about each. */
async function refusals(token: string): Promise<Record<string, string | undefined>> {
  const reading = await tokens.read(token)
  expect(reading.verified).toBe(false)
  const unmet = reading.conditions.filter(({ met }) => !met)
  return Object.fromEntries(unmet.map(({ name, hint }) => [name, hint]))
}

describe('a token that its issuer signed', () => {
  it('is verified by what the issuer publishes: metadata with jwks_uri alone, a key without x5c', async () => {
    const reading = await tokens.read(world.issuer.token())
    expect(reading).toMatchObject({ verified: true, issuer: ISSUER, claims: { 'sdk-test': true } })
    expect(reading.conditions.map(({ name }) => name)).toEqual([
      'token',
      'token.alg',
      'token.iss',
      'token.kid',
      'token.signature',
      'token.exp',
    ])
    expect(world.issuer.asked).toEqual(['/.well-known/openid-configuration', '/keys'])
  })

  it('may write its issuer with a final slash', async () => {
    expect(await tokens.read(world.issuer.token({ iss: `${ISSUER}/` }))).toMatchObject({ verified: true })
  })

  it('may name addresses and keys in its header, to which nobody goes', async () => {
    const header = {
      jku: 'https://evil.example/keys',
      x5u: 'https://evil.example/x5u',
      jwk: attackerJwk,
      x5c: ['AAAA'],
    }
    expect(await tokens.read(world.issuer.token({}, header))).toMatchObject({ verified: true })
    expect(world.issuer.asked).toEqual(['/.well-known/openid-configuration', '/keys'])
  })

  it('is not verified outside of its time, and its claims can be told all the same', async () => {
    const old = await tokens.read(world.issuer.token({ exp: seconds(), nbf: seconds() + 1 }))
    expect(old).toMatchObject({ verified: false, claims: { 'sdk-test': true } })
    expect(old.conditions.filter(({ met }) => !met).map(({ name }) => name)).toEqual(['token.nbf', 'token.exp'])
  })

  it.each([
    ['has ended', { exp: 1 }, 'token.exp', 'older than its lifetime'],
    ['never ends', { exp: undefined }, 'token.exp', 'until when it holds'],
    ['ends in words', { exp: 'tomorrow' }, 'token.exp', 'until when it holds'],
    ['has not begun', { nbf: 4_000_000_000 }, 'token.nbf', 'clocks'],
    ['begins in words', { nbf: 'now' }, 'token.nbf', 'clocks'],
  ])('and that %s is refused', async (_, claims, name, hint) => {
    expect(await refusals(world.issuer.token(claims))).toEqual({ [name]: expect.stringContaining(hint) })
  })
})

describe('a hostile token has its own reason:', () => {
  const other = (header: object) => world.issuer.token({}, header, attacker.privateKey)

  it.each<[string, () => string, string, string]>([
    [
      'no algorithm',
      () => `${base64Url({ alg: 'none', kid: KID })}.${base64Url({ iss: ISSUER, exp: 4e9 })}.AA`,
      'token.alg',
      'unsigned',
    ],
    ['no algorithm, in other letters', () => other({ alg: 'nOnE' }), 'token.alg', 'unsigned'],
    ['a public key taken for a secret', () => hmacWith('jwk'), 'token.alg', 'no secret to share'],
    ['a public key in PEM taken for a secret', () => hmacWith('pem'), 'token.alg', 'no secret to share'],
    ['another algorithm of RSA', () => world.issuer.token({}, { alg: 'RS512' }), 'token.alg', 'RS256'],
    ['PSS', () => world.issuer.token({}, { alg: 'PS256' }), 'token.alg', 'RS256'],
    ['an elliptic curve', () => world.issuer.token({}, { alg: 'ES256' }), 'token.alg', 'RS256'],
    ['a choice of algorithms', () => world.issuer.token({}, { alg: ['RS256', 'none'] }), 'token.alg', 'RS256'],
    ['no algorithm at all', () => world.issuer.token({}, { alg: undefined }), 'token.alg', 'RS256'],
    ['a demand', () => world.issuer.token({}, { crit: ['exp'] }), 'token.crit', 'extensions'],
    ['a demand of nothing', () => world.issuer.token({}, { crit: [] }), 'token.crit', 'extensions'],
    ['another signer under the kid', () => other({}), 'token.signature', 'somebody else'],
    ['a changed claim', () => changed(world.issuer.token()), 'token.signature', 'changed after it was signed'],
    ['no signature', () => world.issuer.token().replace(/[^.]+$/, 'AA'), 'token.signature', 'changed'],
    ['an unknown kid', () => other({ kid: 'another' }), 'token.kid', 'does not publish the key'],
    ['a kid of JavaScript’s', () => other({ kid: '__proto__' }), 'token.kid', 'does not publish the key'],
    ['a key of its own', () => other({ kid: 'mine', jwk: attackerJwk }), 'token.kid', '(jwk) does not count'],
    [
      'a key set of its own',
      () => other({ kid: 'mine', jku: 'https://evil.example/keys' }),
      'token.kid',
      '(jku) does not count',
    ],
    [
      'a certificate elsewhere',
      () => other({ kid: 'mine', x5u: 'https://evil.example/c' }),
      'token.kid',
      '(x5u) does not count',
    ],
    ['a certificate of its own', () => other({ kid: 'mine', x5c: ['AAAA'] }), 'token.kid', '(x5c) does not count'],
    ['no kid', () => world.issuer.token({}, { kid: undefined }), 'token.kid', 'names no key'],
    ['an empty kid', () => world.issuer.token({}, { kid: '' }), 'token.kid', 'names no key'],
    ['a list of kids', () => world.issuer.token({}, { kid: [KID] }), 'token.kid', 'names no key'],
    [
      'an issuer nowhere here',
      () => world.issuer.token({ iss: 'https://evil.example' }),
      'token.iss keys',
      '--authority',
    ],
    ['an issuer at another port', () => world.issuer.token({ iss: `${ISSUER}:8443` }), 'token.iss keys', '--authority'],
    [
      'an issuer on loopback',
      () => world.issuer.token({ iss: 'http://127.0.0.1:5000' }),
      'token.iss keys',
      '--authority',
    ],
    ['a path of the issuer', () => world.issuer.token({ iss: `${ISSUER}/x` }), 'token.iss keys', 'within seconds'],
    ['no issuer', () => world.issuer.token({ iss: undefined }), 'token.iss', 'attestation provider'],
    ['issuers in a list', () => world.issuer.token({ iss: [ISSUER] }), 'token.iss', 'attestation provider'],
    [
      'an issuer without TLS',
      () => world.issuer.token({ iss: ISSUER.replace('https', 'http') }),
      'token.iss',
      'attestation provider',
    ],
    [
      'an issuer with a user',
      () => world.issuer.token({ iss: ISSUER.replace('//', '//x@') }),
      'token.iss',
      'attestation provider',
    ],
    ['an issuer with a query', () => world.issuer.token({ iss: `${ISSUER}/?` }), 'token.iss', 'attestation provider'],
    ['an issuer with a fragment', () => world.issuer.token({ iss: `${ISSUER}#` }), 'token.iss', 'attestation provider'],
    [
      'an issuer that is a file',
      () => world.issuer.token({ iss: 'file:///etc/passwd' }),
      'token.iss',
      'attestation provider',
    ],
  ])('%s', async (_, make, name, hint) => {
    expect(await refusals(make())).toEqual({ [name]: expect.stringContaining(hint) })
  })

  it.each<[string, () => string, string]>([
    ['a word', () => 'junk', 'something else'],
    ['nothing', () => '', 'something else'],
    ['a line of dots', () => '.'.repeat(100_000), 'something else'],
    ['a signed JWT with a part more', () => `${world.issuer.token()}.AA`, 'something else'],
    ['an encrypted JWT', () => 'eyJhbGciOiJkaXIifQ..AA.AA.AA', 'encrypted'],
    ['a token with blanks', () => ` ${world.issuer.token()}`, 'a header that is no JSON object'],
    ['a token in padded base64', () => world.issuer.token().replace('.', '=.'), 'a header that is no JSON object'],
    ['a signature with a blank', () => world.issuer.token().replace(/.$/, ' $&'), 'a signature that is not base64url'],
    ['a signature in padded base64', () => `${world.issuer.token()}=`, 'a signature that is not base64url'],
    ['a header that is a list', () => compact([], {}, attacker.privateKey), 'a header that is no JSON object'],
    [
      'a header that is no UTF-8',
      () => `${Buffer.from('{"alg":"\xff"}', 'latin1').toString('base64url')}.e30.AA`,
      'a header that is no JSON object',
    ],
    [
      'claims that are a list',
      () => compact({ alg: 'RS256', kid: KID }, [1], attacker.privateKey),
      'a payload that is no JSON object',
    ],
    [
      'a JWT in a JWT',
      () => compact({ alg: 'RS256', kid: KID, cty: 'JWT' }, world.issuer.token(), world.issuer.privateKey),
      'a JWT in a JWT',
    ],
    ['a payload that is not encoded', () => world.issuer.token({}, { b64: false, crit: ['b64'] }), 'not encoded'],
    [
      'a token beyond all measure',
      () => world.issuer.token({ x: 'x'.repeat(300_000) }),
      'longer than 262144 characters',
    ],
  ])('%s', async (_, make, found) => {
    const { verified, conditions } = await tokens.read(make())
    expect(verified).toBe(false)
    expect(conditions).toMatchObject([{ name: 'token', found: expect.stringContaining(found), met: false }])
    expect(world.issuer.asked).toEqual([])
  })

  it('which is every one, not only the first', async () => {
    const token = world.issuer.token({ exp: 1, nbf: 4e9, iss: 'ftp://evil.example' }, { alg: 'HS256', crit: ['x'] })
    expect(Object.keys(await refusals(token))).toEqual([
      'token.alg',
      'token.crit',
      'token.iss',
      'token.nbf',
      'token.exp',
    ])
  })

  it('and nobody is asked for the keys of a token that cannot be verified in any case', async () => {
    await tokens.read(world.issuer.token({}, { alg: 'none' }))
    await tokens.read(world.issuer.token({}, { crit: ['x'] }))
    expect(world.issuer.asked).toEqual([])
  })

  it('the last one of two headers of one name counts, as JSON has it', async () => {
    const header = `{"alg":"none","kid":"${KID}","alg":"RS256"}`
    const payload = { iss: ISSUER, exp: 4e9 }
    expect(await refusals(compact(header, payload, attacker.privateKey))).toHaveProperty(['token.signature'])
    const turned = `{"alg":"RS256","kid":"${KID}","alg":"none"}`
    expect(await refusals(compact(turned, payload, world.issuer.privateKey))).toHaveProperty(['token.alg'])
  })

  function hmacWith(form: 'jwk' | 'pem'): string {
    const key = createPublicKey(world.issuer.privateKey)
    const secret = form === 'pem' ? key.export({ type: 'spki', format: 'pem' }) : JSON.stringify(world.issuer.jwk)
    const [, payload] = world.issuer.token().split('.')
    const text = `${base64Url({ alg: 'HS256', kid: KID })}.${payload}`
    return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
  }

  function changed(token: string): string {
    const [header, payload, signature] = token.split('.')
    const claims = Buffer.from(payload!, 'base64url').toString().replace('"sdk-test":true', '"sdk-test":1')
    return `${header}.${base64Url(claims)}.${signature}`
  }
})
