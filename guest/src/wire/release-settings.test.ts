import { describe, expect, it } from 'vitest'
import { type EvaluationSettings, evaluateReleasePolicy } from './release-decision.ts'
import { parseReleasePolicy } from './release-policy.ts'

/** Each point on which Microsoft's pages disagree, in both ways of reading them. */

const AUTHORITY = 'https://shared.weu.attest.azure.net'
const decide = (
  condition: object,
  claims: Record<string, unknown>,
  settings?: EvaluationSettings,
  { authority = AUTHORITY, issuer = AUTHORITY } = {},
) =>
  evaluateReleasePolicy(
    parseReleasePolicy({ version: '1.0.0', anyOf: [{ authority, allOf: [condition] }] }),
    { issuer, claims },
    settings,
  )

describe('operators', () => {
  it.each([
    { claim: 'c', greater: 1 },
    { claim: 'c', notEquals: 1 },
    { claim: 'c', exists: true },
  ])('%j counts unless only equals is known', (condition) => {
    expect(decide(condition, { c: 2 }).allowed).toBe(true)
    expect(decide(condition, { c: 2 }, { operators: 'all' }).allowed).toBe(true)
    const strict = decide(condition, { c: 2 }, { operators: 'equals-only' })
    expect(strict.allowed).toBe(false)
    expect(strict.authorities[0]?.conditions[0]).toMatchObject({ met: false, refusedBy: 'operators' })
  })

  it('equals counts in either way', () => {
    expect(decide({ claim: 'c', equals: 2 }, { c: 2 }, { operators: 'equals-only' }).allowed).toBe(true)
  })
})

describe('nesting', () => {
  const nested = { anyOf: [{ claim: 'a', equals: '1' }, { allOf: [{ claim: 'b', equals: '2' }] }] }

  it('counts as in the grammar, or not at all', () => {
    expect(decide(nested, { a: '1', b: '2' }).allowed).toBe(true)
    expect(decide(nested, { a: '1', b: '2' }, { nesting: 'allowed' }).allowed).toBe(true)
    const flat = decide(nested, { a: '1', b: '2' }, { nesting: 'refused' })
    expect(flat.allowed).toBe(false)
    expect(flat.authorities[0]?.conditions.map(({ refusedBy }) => refusedBy)).toEqual(['nesting', 'nesting'])
  })

  it('does not touch the group of the authority itself', () => {
    expect(decide({ claim: 'a', equals: '1' }, { a: '1' }, { nesting: 'refused' }).allowed).toBe(true)
  })
})

describe('trailingSlash', () => {
  it.each([
    [`${AUTHORITY}/`, AUTHORITY],
    [AUTHORITY, `${AUTHORITY}/`],
  ])('%s is the issuer %s, or another', (authority, issuer) => {
    const condition = { claim: 'a', equals: '1' }
    expect(decide(condition, { a: '1' }, {}, { authority, issuer }).allowed).toBe(true)
    expect(decide(condition, { a: '1' }, { trailingSlash: 'ignored' }, { authority, issuer }).allowed).toBe(true)
    const exact = decide(condition, { a: '1' }, { trailingSlash: 'significant' }, { authority, issuer })
    expect(exact.authorities[0]).toMatchObject({ allowed: false, issuerMatched: false, refusedBy: 'trailingSlash' })
  })

  it('does not part what is written alike', () => {
    const same = { authority: `${AUTHORITY}/`, issuer: `${AUTHORITY}/` }
    expect(decide({ claim: 'a', equals: '1' }, { a: '1' }, { trailingSlash: 'significant' }, same).allowed).toBe(true)
  })
})

describe('coercion', () => {
  it.each([
    [{ equals: 'true' }, true],
    [{ equals: true }, 'true'],
    [{ equals: '0' }, 0],
    [{ equals: 0 }, '0'],
    [{ less: '9' }, 8],
    [{ greater: 7 }, '8'],
    [{ notEquals: '1' }, 0],
  ])('%j is met by %j by its text, and not by its type', (operator, found) => {
    const condition = { claim: 'c', ...operator }
    expect(decide(condition, { c: found }).allowed).toBe(true)
    expect(decide(condition, { c: found }, { coercion: 'canonical' }).allowed).toBe(true)
    const typed = decide(condition, { c: found }, { coercion: 'typed' })
    expect(typed.allowed).toBe(false)
    expect(typed.authorities[0]?.conditions[0]).toMatchObject({ refusedBy: 'coercion' })
  })

  it.each([
    [{ equals: true }, true],
    [{ equals: 'x' }, 'x'],
    [{ equals: 0 }, 0],
    [{ less: 9 }, 8],
    [{ notEquals: 'x' }, 'y'],
    [{ exists: 'true' }, 1],
  ])('%j is met by %j in either way', (operator, found) => {
    expect(decide({ claim: 'c', ...operator }, { c: found }, { coercion: 'typed' }).allowed).toBe(true)
  })

  it('never brings together numbers of which JSON gave only the neighbourhood', () => {
    const claims = JSON.parse('{"c":9007199254740993}') as Record<string, unknown>
    for (const coercion of ['canonical', 'typed'] as const) {
      expect(decide({ claim: 'c', equals: '9007199254740992' }, claims, { coercion }).allowed).toBe(false)
      expect(decide({ claim: 'c', notEquals: 1 }, claims, { coercion }).allowed).toBe(false)
    }
    const written = () => decide({ claim: 'c', equals: 2 ** 53 }, claims)
    expect(written).toThrow('/anyOf/0/allOf/0/equals is a number beyond 2^53 - 1')
  })
})
