import { generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createAttestationTokens } from './attestation-token.ts'
import { base64Url, compact, createIssuerWorld, ISSUER, KID } from './test-issuer.ts'
import { chooseWrappingKey } from './wrapping-key.ts'

/** What holds of every token: only the issuer's own are verified, and every other one is refused with a reason. */

const world = createIssuerWorld()
const tokens = createAttestationTokens(world.ctx)
const attacker = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const good = world.issuer.token()
const RUNS = { numRuns: 300 }

async function expectRefused(token: string): Promise<void> {
  const { verified, claims, conditions } = await tokens.read(token)
  expect({ verified, claims }).toEqual({ verified: false, claims: undefined })
  const unmet = conditions.filter(({ met }) => !met)
  expect(unmet.length).toBeGreaterThan(0)
  for (const { hint } of unmet) expect(hint).toBeTruthy()
}

describe('an attestation token', () => {
  it('is verified as it was signed, and under no change of a single character', async () => {
    expect((await tokens.read(good)).verified).toBe(true)
    const alphabet = [...'ABCXYZabcxyz0189-_.=+/ ']
    const place = fc.nat({ max: good.length - 1 })
    await fc.assert(
      fc.asyncProperty(place, fc.constantFrom(...alphabet), fc.boolean(), async (at, letter, inserted) => {
        const changed = good.slice(0, at) + letter + good.slice(inserted ? at : at + 1)
        fc.pre(bytesOf(changed) !== bytesOf(good))
        await expectRefused(changed)
      }),
      RUNS,
    )
  })

  it('is not verified in part, or with parts of another', async () => {
    const other = world.issuer.token({ 'x-other': true }).split('.')
    const parts = good.split('.')
    const pick = fc.constantFrom('mine', 'theirs', 'none')
    await fc.assert(
      fc.asyncProperty(fc.tuple(pick, pick, pick), async (chosen) => {
        const mixed = chosen.map((which, index) => (which === 'none' ? '' : (which === 'mine' ? parts : other)[index]!))
        fc.pre(chosen.includes('none') || new Set([chosen[1], chosen[2]]).size === 2)
        await expectRefused(mixed.join('.'))
      }),
      RUNS,
    )
  })

  it('of another signer is not verified, whatever its header says', async () => {
    const member = fc.constantFrom(
      'alg',
      'kid',
      'jku',
      'x5u',
      'jwk',
      'x5c',
      'x5t',
      'crit',
      'typ',
      'cty',
      'b64',
      'zip',
      'enc',
    )
    const value = fc.oneof(fc.jsonValue(), fc.constantFrom('RS256', 'none', 'HS256', KID, `${ISSUER}/keys`))
    await fc.assert(
      fc.asyncProperty(fc.dictionary(member, value), async (header) => {
        const claims = { iss: ISSUER, exp: 4e9 }
        await expectRefused(compact({ alg: 'RS256', kid: KID, ...header }, claims, attacker))
      }),
      RUNS,
    )
  })

  it('is read without an accident, whatever it is', async () => {
    const part = fc.oneof(fc.string(), fc.jsonValue().map(base64Url), fc.base64String())
    const anything = fc.oneof(
      fc.string(),
      fc.array(part, { maxLength: 6 }).map((parts) => parts.join('.')),
    )
    await fc.assert(fc.asyncProperty(anything, expectRefused), RUNS)
  })

  it('leads to nobody but its issuer', async () => {
    const asked: string[] = []
    const watched = createAttestationTokens({
      ...world.ctx,
      outside: async (request) => {
        asked.push(request.url)
        return await world.ctx.outside(request)
      },
    })
    await fc.assert(
      fc.asyncProperty(fc.webUrl({ withQueryParameters: true, withFragments: true }), async (address) => {
        const header = { alg: 'RS256', kid: 'unknown', jku: address, x5u: address }
        await watched.read(compact(header, { iss: ISSUER, exp: 4e9 }, attacker))
      }),
      RUNS,
    )
    for (const url of asked) expect(new URL(url).origin).toBe(ISSUER)
  })
})

it('a wrapping key is chosen or not without an accident, whatever the claim holds', () => {
  const member = fc.constantFrom('kty', 'use', 'key_use', 'key_ops', 'kid', 'n', 'e', 'x5c')
  const value = fc.oneof(fc.jsonValue(), fc.constantFrom('RSA', 'enc', 'AQAB', 'AQ'), fc.constant(['encrypt']))
  const jwk = fc.oneof(fc.jsonValue(), fc.dictionary(member, value))
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), fc.record({ keys: fc.array(jwk) })), (runtime) => {
      const { chosen, condition } = chooseWrappingKey({ 'x-ms-runtime': runtime })
      expect(condition.met).toBe(chosen !== undefined)
    }),
    RUNS,
  )
})

/** Base64url has bits to spare in its last character: two texts may be the same bytes. */
const bytesOf = (token: string) =>
  token
    .split('.')
    .map((part) => (/^[A-Za-z0-9_-]*$/.test(part) ? Buffer.from(part, 'base64url').toString('hex') : part))
    .join('.')
