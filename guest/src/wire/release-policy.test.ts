import { describe, expect, it } from 'vitest'
import { WireError } from './errors.ts'
import { claimAt, evaluateReleasePolicy, sameAuthority } from './release-decision.ts'
import { decodeReleasePolicy, encodeReleasePolicy, parseReleasePolicy } from './release-policy.ts'

const AUTHORITY = 'https://sharedweu.weu.attest.azure.net'
const policy = (...allOf: unknown[]) => ({ version: '1.0.0', anyOf: [{ authority: AUTHORITY, allOf }] })
const pointerOf = (value: unknown): string | undefined => {
  try {
    parseReleasePolicy(value)
  } catch (error) {
    expect((error as WireError).code).toBe('ERR_RELEASE_POLICY')
    return (error as WireError).at
  }
  throw new Error('nothing was thrown')
}
const decide = (value: unknown, claims: Record<string, unknown>, issuer = AUTHORITY, settings = {}) =>
  evaluateReleasePolicy(parseReleasePolicy(value), { issuer, claims }, settings)
const isMet = (condition: unknown, claims: Record<string, unknown>) => decide(policy(condition), claims).allowed

describe('the grammar', () => {
  it('comes out as it went in, in today’s form', () => {
    const value = policy(
      { claim: 'a', equals: '1' },
      {
        anyOf: [
          { claim: 'b', equals: true },
          { claim: 'c', equals: 2 },
        ],
      },
    )
    expect(parseReleasePolicy(value)).toEqual(value)
    expect(decodeReleasePolicy(encodeReleasePolicy(parseReleasePolicy(value)))).toEqual(value)
  })

  it('of 7.3-preview is rewritten as the vault does', () => {
    const old = {
      version: '1.0',
      anyOf: [{ authority: AUTHORITY, anyOf: [{ claim: 'sdk-test', condition: 'equals', value: 'true' }] }],
    }
    expect(parseReleasePolicy(old)).toEqual({
      version: '1.0.0',
      anyOf: [{ authority: AUTHORITY, anyOf: [{ claim: 'sdk-test', equals: 'true' }] }],
    })
  })

  it.each([
    ['a text', 'x', ''],
    ['no version', { anyOf: [] }, '/version'],
    ['an unknown member', { ...policy({ claim: 'a', equals: 1 }), more: 1 }, '/more'],
    ['no authority at all', { version: '1.0.0', anyOf: [] }, '/anyOf'],
    [
      'an authority that is no URL',
      { version: '1.0.0', anyOf: [{ authority: 'weu', allOf: [] }] },
      '/anyOf/0/authority',
    ],
    ['both anyOf and allOf', { version: '1.0.0', anyOf: [{ authority: AUTHORITY, allOf: [], anyOf: [] }] }, '/anyOf/0'],
    ['no conditions', policy(), '/anyOf/0/allOf'],
    ['a condition without an operator', policy({ claim: 'a' }), '/anyOf/0/allOf/0'],
    ['a condition with two', policy({ claim: 'a', equals: 1, less: 2 }), '/anyOf/0/allOf/0'],
    ['an object as a value', policy({ claim: 'a', equals: {} }), '/anyOf/0/allOf/0/equals'],
    ['an unknown old operator', policy({ claim: 'a', condition: 'is', value: 1 }), '/anyOf/0/allOf/0/condition'],
    ['an unknown member deep down', policy({ anyOf: [{ claim: 'a', equal: 1 }] }), '/anyOf/0/allOf/0/anyOf/0/equal'],
  ])('refuses %s and points at it', (_, value, at) => {
    expect(pointerOf(value)).toBe(at)
  })

  it('refuses data that is not base64url of JSON', () => {
    expect(() => decodeReleasePolicy('e30+')).toThrow(WireError)
    expect(() => decodeReleasePolicy('eA')).toThrow(WireError)
  })
})

describe('a comparison', () => {
  it.each([
    [{ equals: 'false' }, false],
    [{ equals: false }, 'false'],
    [{ equals: '0' }, 0],
    [{ equals: 3 }, '3'],
    [{ notEquals: 'a' }, 'b'],
    [{ less: 10 }, 9],
    [{ lessOrEquals: '9' }, 9],
    [{ greater: 9 }, '10'],
    [{ greaterOrEquals: 219 }, 219],
    [{ exists: true }, null],
    [{ exists: 'true' }, {}],
  ])('%j is met by %j', (operator, found) => {
    expect(isMet({ claim: 'c', ...operator }, { c: found })).toBe(true)
  })

  it.each([
    [{ equals: 'False' }, false],
    [{ equals: '00' }, 0],
    [{ equals: 'a' }, 'A'],
    [{ equals: 'a' }, ['a']],
    [{ equals: 'null' }, null],
    [{ notEquals: 'a' }, 'a'],
    [{ notEquals: 'a' }, { a: 1 }],
    [{ less: 10 }, 10],
    [{ less: 10 }, 'nine'],
    [{ greater: '18446744073709551615' }, '18446744073709551615'],
    [{ exists: 'false' }, 1],
  ])('%j is not met by %j', (operator, found) => {
    expect(isMet({ claim: 'c', ...operator }, { c: found })).toBe(false)
  })

  it.each(['equals', 'notEquals', 'less', 'greater', 'exists'])('%s is not met by a missing claim', (operator) => {
    const value = operator === 'exists' ? true : '1'
    expect(decide(policy({ claim: 'c', [operator]: value }), {}).authorities[0]?.conditions[0]).toMatchObject({
      found: undefined,
      met: false,
    })
  })

  it('exists: false is met by a missing claim', () => {
    expect(isMet({ claim: 'c', exists: false }, {})).toBe(true)
  })

  it('walks dots into objects, and nowhere else', () => {
    const claims = { tee: { status: 'ok' }, keys: ['k'], 'a.b': 1 }
    expect(claimAt(claims, 'tee.status')).toBe('ok')
    expect(claimAt(claims, 'keys.0')).toBeUndefined()
    expect(claimAt(claims, 'a.b')).toBeUndefined()
    expect(claimAt(claims, 'constructor.name')).toBeUndefined()
  })

  it('with equals-only set, is never met by another operator', () => {
    expect(decide(policy({ claim: 'c', greater: 1 }), { c: 2 }, AUTHORITY, { operators: 'equals-only' }).allowed).toBe(
      false,
    )
    expect(decide(policy({ claim: 'c', equals: 2 }), { c: 2 }, AUTHORITY, { operators: 'equals-only' }).allowed).toBe(
      true,
    )
  })
})

describe('an authority', () => {
  it.each([
    ['https://a.attest.azure.net', 'https://a.attest.azure.net/'],
    ['HTTPS://A.Attest.Azure.NET', 'https://a.attest.azure.net'],
    ['https://a.attest.azure.net/x', 'https://a.attest.azure.net/x/'],
  ])('%s is %s', (a, b) => {
    expect(sameAuthority(a, b)).toBe(true)
  })

  it.each([
    ['https://a.attest.azure.net', 'http://a.attest.azure.net'],
    ['https://a.attest.azure.net', 'https://b.attest.azure.net'],
    ['https://a.attest.azure.net', 'https://a.attest.azure.net//'],
    ['https://a.attest.azure.net/x', 'https://a.attest.azure.net/X'],
    ['https://a.attest.azure.net', 'https://someone@a.attest.azure.net'],
    ['https://a.attest.azure.net', 'https://a.attest.azure.net.evil.example'],
  ])('%s is not %s', (a, b) => {
    expect(sameAuthority(a, b)).toBe(false)
  })
})

describe('a decision', () => {
  const claims = { a: '1', b: '2' }

  it('names every condition, met or not, and where it stands', () => {
    const value = policy(
      { claim: 'a', equals: '2' },
      {
        anyOf: [
          { claim: 'b', equals: '2' },
          { claim: 'c', equals: '3' },
        ],
      },
    )
    expect(decide(value, claims)).toEqual({
      allowed: false,
      authorities: [
        {
          authority: AUTHORITY,
          issuerMatched: true,
          allowed: false,
          conditions: [
            { claim: 'a', operator: 'equals', wanted: '2', found: '1', met: false, at: '/anyOf/0/allOf/0' },
            { claim: 'b', operator: 'equals', wanted: '2', found: '2', met: true, at: '/anyOf/0/allOf/1/anyOf/0' },
            {
              claim: 'c',
              operator: 'equals',
              wanted: '3',
              found: undefined,
              met: false,
              at: '/anyOf/0/allOf/1/anyOf/1',
            },
          ],
        },
      ],
    })
  })

  it('needs one authority that is the issuer and whose conditions hold', () => {
    const value = {
      version: '1.0.0',
      anyOf: [
        { authority: 'https://other.attest.azure.net', allOf: [{ claim: 'a', equals: '1' }] },
        {
          authority: AUTHORITY,
          anyOf: [
            { claim: 'a', equals: 'no' },
            { claim: 'b', equals: '2' },
          ],
        },
      ],
    }
    const decision = decide(value, claims)
    expect(decision.allowed).toBe(true)
    expect(decision.authorities.map(({ issuerMatched, allowed }) => [issuerMatched, allowed])).toEqual([
      [false, false],
      [true, true],
    ])
  })

  it('is a refusal when the conditions hold and the issuer is another', () => {
    const decision = decide(policy({ claim: 'a', equals: '1' }), claims, 'https://evil.example')
    expect(decision).toMatchObject({
      allowed: false,
      authorities: [{ issuerMatched: false, conditions: [{ met: true }] }],
    })
  })
})
