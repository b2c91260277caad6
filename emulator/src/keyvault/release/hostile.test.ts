import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { aciReleasePolicy, encodeReleasePolicy } from '@skerry/guest/wire'
import { beforeEach, describe, expect, it } from 'vitest'
import { AUTHORITY, createVaultWorld, GOOD_CLAIMS, MANAGED_HSM, VAULT, type VaultWorld } from '../test-vaults.ts'

/*
 * Tokens and policies that were made to have a key that is not theirs, or to break the vault. None of them ever gets a
 * 200, and none a 500.
 */

let world: VaultWorld
beforeEach(() => {
  world = createVaultWorld()
})

const base64Url = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
const policyOf = (policy: unknown) => ({ data: base64Url(policy) })
const GOOD_POLICY = encodeReleasePolicy(
  aciReleasePolicy({ authority: AUTHORITY, hostData: GOOD_CLAIMS['x-ms-sevsnpvm-hostdata'] }),
)
const createKey = (policy: object = { data: GOOD_POLICY }, vault = VAULT) =>
  world.call('POST', `${vault}/keys/k/create`, {
    kty: 'EC-HSM',
    crv: 'P-256',
    attributes: { exportable: true },
    release_policy: policy,
  })
const releaseWith = async (target: unknown) => await world.call('POST', `${VAULT}/keys/k/release`, { target })

/** The issuer's own key as anybody gets it. */
async function publishedKey() {
  const { keys } = (await (await world.fetch(new Request(`${AUTHORITY}/certs`))).json()) as {
    keys: { kid: string; x5c: string[] }[]
  }
  return keys[0]!
}

const claims = (more: object = {}) => {
  const now = Math.floor(world.clock.now() / 1000)
  const jwk = { ...attacker.publicKey.export({ format: 'jwk' }), kid: 'attacker', use: 'enc' }
  return {
    ...GOOD_CLAIMS,
    iss: AUTHORITY,
    iat: now,
    nbf: now,
    exp: now + 3600,
    'x-ms-runtime': { keys: [jwk] },
    ...more,
  }
}
const attacker = generateKeyPairSync('rsa', { modulusLength: 2048 })
const signed = (header: object, payload: object, key: KeyObject = attacker.privateKey) => {
  const text = `${base64Url(header)}.${base64Url(payload)}`
  return `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`
}

describe('a forged token', () => {
  it.each<[string, (kid: string, certificate: string) => string]>([
    ['under the issuer’s kid', (kid) => signed({ alg: 'RS256', kid }, claims())],
    [
      'with its key in the header',
      (kid) => signed({ alg: 'RS256', kid, jwk: attacker.publicKey.export({ format: 'jwk' }) }, claims()),
    ],
    [
      'with a key set of its own',
      (kid) => signed({ alg: 'RS256', kid, jku: 'https://attacker.attest.azure.net/certs' }, claims()),
    ],
    ['without a kid', () => signed({ alg: 'RS256' }, claims())],
    ['with a kid that is a list', (kid) => signed({ alg: 'RS256', kid: [kid] }, claims())],
    ['with a kid of JavaScript’s', () => signed({ alg: 'RS256', kid: '__proto__' }, claims())],
    ['with no algorithm', (kid) => `${base64Url({ alg: 'none', kid })}.${base64Url(claims())}.`],
    ['with no algorithm, in other letters', (kid) => `${base64Url({ alg: 'nOnE', kid })}.${base64Url(claims())}.`],
    ['with algorithms to choose from', (kid) => signed({ alg: ['none', 'RS256'], kid }, claims())],
    [
      'whose secret is the public certificate',
      (kid, certificate) => {
        const text = `${base64Url({ alg: 'HS256', kid })}.${base64Url(claims())}`
        return `${text}.${createHmac('sha256', certificate).update(text).digest('base64url')}`
      },
    ],
    ['of another algorithm', (kid) => signed({ alg: 'PS256', kid }, claims())],
    [
      'whose issuer has a user',
      (kid) => signed({ alg: 'RS256', kid }, claims({ iss: AUTHORITY.replace('//', '//x@') })),
    ],
    [
      'whose issuer is a path of the real one',
      (kid) => signed({ alg: 'RS256', kid }, claims({ iss: `${AUTHORITY}/x` })),
    ],
    [
      'whose issuer’s metadata is a query of the real one',
      (kid) => signed({ alg: 'RS256', kid }, claims({ iss: `${AUTHORITY}/.well-known/openid-configuration?` })),
    ],
    ['whose issuer is on another port', (kid) => signed({ alg: 'RS256', kid }, claims({ iss: `${AUTHORITY}:8443` }))],
    [
      'whose issuer is the metadata service',
      (kid) => signed({ alg: 'RS256', kid }, claims({ iss: 'https://169.254.169.254' })),
    ],
    [
      'whose issuer is the tenant',
      (kid) => signed({ alg: 'RS256', kid }, claims({ iss: `https://sts.windows.net/${world.ctx.seed.tenantId}/` })),
    ],
    ['whose issuers are a list', (kid) => signed({ alg: 'RS256', kid }, claims({ iss: [AUTHORITY] }))],
    ['in five parts', (kid) => `${signed({ alg: 'RS256', kid }, claims())}.a.b`],
    ['of an unknown demand', (kid) => signed({ alg: 'RS256', kid, crit: ['exp'] }, claims())],
    ['that is no object', (kid) => `${base64Url({ alg: 'RS256', kid })}.${base64Url('[1]')}.AAAA`],
    ['that is one long line of dots', () => '.'.repeat(100_000)],
  ])('%s has no key', async (_, forge) => {
    await createKey()
    const { kid, x5c } = await publishedKey()
    const answer = await releaseWith(forge(kid, x5c[0]!))
    expect(answer.status).toBe(403)
    expect(answer.json.error.message).toBe('Target environment attestation statement cannot be verified.')
    const record = world.ctx.journal.records().findLast(({ operation }) => operation === 'release')
    const reason = record?.conditions?.find(({ met }) => !met)
    expect(record).toMatchObject({
      outcome: 'denied',
      summary: `The release was refused: ${reason?.name} did not hold.`,
    })
    expect(record?.action).toBe(reason?.hint)
  })

  it.each([
    ['a number', 5],
    ['an object', { toString: 'x' }],
    ['a list', ['a.b.c']],
  ])('that is %s is a bad request', async (_, target) => {
    await createKey()
    expect((await releaseWith(target)).status).toBe(400)
  })
})

describe('a token that its issuer signed', () => {
  it.each<[string, object]>([
    ['whose expiry is text', { exp: '99999999999' }],
    ['that has no expiry', { exp: undefined }],
    ['whose start is text', { nbf: '99999999999' }],
  ])('and %s has no key', async (_, more) => {
    await createKey()
    expect((await releaseWith(await world.issuer.sign(more as Record<string, unknown>))).status).toBe(403)
  })

  const jwk = (more: object) => ({ ...attacker.publicKey.export({ format: 'jwk' }), kid: 'k', use: 'enc', ...more })
  const { n } = attacker.publicKey.export({ format: 'jwk' })
  const even = Buffer.from(n!, 'base64url')
  even[even.length - 1]! &= 0xfe
  it.each<[string, unknown]>([
    ['has an exponent of one', { keys: [jwk({ e: 'AQ' })] }],
    ['has an even exponent', { keys: [jwk({ e: 'Ag' })] }],
    ['has an exponent of zero', { keys: [jwk({ e: 'AA' })] }],
    ['has an even modulus', { keys: [jwk({ n: even.toString('base64url') })] }],
    ['has a modulus of nothing', { keys: [jwk({ n: '' })] }],
    [
      'has a modulus that no one can work with',
      { keys: [jwk({ n: Buffer.alloc(20_000, 0xff).toString('base64url') })] },
    ],
    ['is private', { keys: [{ ...attacker.privateKey.export({ format: 'jwk' }), kid: 'k', use: 'sig' }] }],
    ['is behind a small one', { keys: [jwk({ n: n!.slice(0, 86) }), jwk({})] }],
    ['has a certificate of its own', { keys: [jwk({ x5c: ['AAAA'] })] }],
    ['is not in a list', { keys: { 0: jwk({}), length: 1 } }],
    ['is nothing', null],
    ['is a text', 'keys'],
  ])('and whose wrapping key %s has no key', async (_, runtime) => {
    await createKey()
    const answer = await releaseWith(await world.issuer.sign({ 'x-ms-runtime': runtime }))
    expect([answer.status, answer.json.error.code]).toEqual([403, 'Forbidden'])
  })
})

describe('a release policy', () => {
  const rule = (conditions: object) => ({ version: '1.0.0', anyOf: [{ authority: AUTHORITY, ...conditions }] })
  const deep = (levels: number, inner = '{"claim":"a","equals":"b"}') =>
    `{"version":"1.0.0","anyOf":[{"authority":"${AUTHORITY}","anyOf":[${'{"anyOf":['.repeat(levels)}${inner}${']}'.repeat(levels)}]}]}`

  it.each<[string, unknown]>([
    ['with no authority', { version: '1.0.0', anyOf: [] }],
    ['with no condition', rule({ allOf: [] })],
    ['with a group of none', rule({ anyOf: [{ allOf: [] }] })],
    ['with both kinds of groups', rule({ allOf: [{ claim: 'a', equals: 'b' }], anyOf: [{ claim: 'a', equals: 'b' }] })],
    ['with two operators', rule({ allOf: [{ claim: 'a', equals: 'b', exists: 'true' }] })],
    ['that compares with nothing', rule({ allOf: [{ claim: 'a', equals: null }] })],
    ['that compares with an object', rule({ allOf: [{ claim: 'a', equals: {} }] })],
    ['that asks for existence with other words', rule({ allOf: [{ claim: 'a', exists: 'no' }] })],
    [
      'with a member of JavaScript’s',
      `{"version":"1.0.0","anyOf":[{"authority":"${AUTHORITY}","__proto__":{"allOf":[]}}]}`,
    ],
    ['whose condition is of JavaScript’s', rule({ allOf: [{ claim: 'a', constructor: 'b' }] })],
    [
      'whose authority is no URL',
      { version: '1.0.0', anyOf: [{ authority: 'skerry', allOf: [{ claim: 'a', equals: 'b' }] }] },
    ],
    ['nested without end', deep(50_000)],
  ])('%s is refused by either kind of vault', async (_, policy) => {
    for (const vault of [VAULT, MANAGED_HSM]) {
      const answer = await createKey(policyOf(policy), vault)
      expect([answer.status, answer.json.error.code]).toEqual([400, 'BadParameter'])
    }
  })

  it.each<[string, object, boolean]>([
    ['a claim of JavaScript’s', { claim: 'constructor.name', equals: 'Object' }, false],
    ['a prototype', { claim: '__proto__.x-ms-attestation-type', equals: 'sevsnpvm' }, false],
    ['an item of a list', { claim: 'x-ms-runtime.keys.0.kty', equals: 'RSA' }, false],
    ['the length of a list', { claim: 'x-ms-runtime.keys.length', greater: 0 }, false],
    ['a letter of a text', { claim: 'x-ms-attestation-type.0', equals: 's' }, false],
    ['an object', { claim: 'x-ms-runtime', equals: '[object Object]' }, false],
    ['another case', { claim: 'X-MS-Attestation-Type', equals: 'sevsnpvm' }, false],
    ['another case of the value', { claim: 'x-ms-attestation-type', equals: 'SEVSNPVM' }, false],
    ['a look-alike', { claim: 'x-ms-attestation-type', equals: 'sevsnp\u200bvm' }, false],
    ['a claim that is missing', { claim: 'x-ms-nothing', notEquals: 'x' }, false],
    ['a number as a text', { claim: 'x-ms-sevsnpvm-vmpl', equals: '0' }, true],
    ['a text that only counts as that number', { claim: 'x-ms-sevsnpvm-vmpl', equals: '00' }, false],
    ['an order among texts', { claim: 'x-ms-attestation-type', less: 'zzz' }, false],
  ])('does not take %s for what it is not', async (_, condition, allowed) => {
    expect((await createKey(policyOf(rule({ allOf: [condition] })))).status).toBe(200)
    expect((await releaseWith(await world.issuer.sign())).status).toBe(allowed ? 200 : 403)
  })

  it('compares numbers of any length soon', { timeout: 5_000 }, async () => {
    await createKey(policyOf(rule({ allOf: [{ claim: 'x-ms-runtime.n', greater: '9' }] })))
    const target = await world.issuer.sign({ 'x-ms-runtime': { n: '9'.repeat(180_000), keys: [] } })
    expect((await releaseWith(target)).status).toBe(403)
  })
})

it('an import of a huge RSA key is refused, and breaks nobody else’s work', async () => {
  const { privateKey } = attacker
  const key = { ...privateKey.export({ format: 'jwk' }), n: Buffer.alloc(2_500, 0xff).toString('base64url') }
  const answer = await world.call('PUT', `${VAULT}/keys/huge`, { key, hsm: true })
  expect(answer.status).toBe(400)
  expect((await world.call('POST', `${VAULT}/keys/k/create`, { kty: 'RSA' })).status).toBe(200)
})
