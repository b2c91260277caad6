import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { WireError } from './errors.ts'
import { evaluateReleasePolicy } from './release-decision.ts'
import {
  type AuthorityRule,
  CLAIM_OPERATORS,
  type ClaimValue,
  decodeReleasePolicy,
  encodeReleasePolicy,
  isClaimCondition,
  type PolicyCondition,
  parseReleasePolicy,
  type ReleasePolicy,
} from './release-policy.ts'

/** What holds of every policy and every token, not only of those that somebody thought of. */

const AUTHORITIES = [
  'https://a.attest.azure.net',
  'https://a.attest.azure.net/',
  'https://b.example/x',
  'HTTPS://B.example/x',
]
const NAMES = ['a', 'b', 'a.b', 'x-ms-sevsnpvm-vmpl', 'constructor']

const value: fc.Arbitrary<ClaimValue> = fc.oneof(
  fc.constantFrom<ClaimValue>('true', 'false', true, false, 0, 1, '0', '1', '', '-1', '1e3'),
  fc.string(),
  fc.integer(),
)
const claim = fc
  .tuple(fc.constantFrom(...NAMES), fc.constantFrom(...CLAIM_OPERATORS), value, fc.boolean())
  .map(([name, operator, operand, exists]): PolicyCondition => {
    return { claim: name, [operator]: operator === 'exists' ? exists : operand } as PolicyCondition
  })
const { condition } = fc.letrec<{ condition: PolicyCondition }>((tie) => ({
  condition: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    claim,
    fc.array(tie('condition'), { minLength: 1, maxLength: 3 }).map((allOf) => ({ allOf })),
    fc.array(tie('condition'), { minLength: 1, maxLength: 3 }).map((anyOf) => ({ anyOf })),
  ),
}))
const rule = fc
  .tuple(fc.constantFrom(...AUTHORITIES), fc.boolean(), fc.array(condition, { minLength: 1, maxLength: 3 }))
  .map(([authority, all, members]): AuthorityRule => ({ authority, [all ? 'allOf' : 'anyOf']: members }))
const policy: fc.Arbitrary<ReleasePolicy> = fc
  .array(rule, { minLength: 1, maxLength: 3 })
  .map((anyOf) => ({ version: '1.0.0', anyOf }))

const found = fc.oneof(value, fc.constant(null), fc.array(value, { maxLength: 2 }), fc.record({ b: value }))
const claims = fc.dictionary(fc.constantFrom(...NAMES), found, { maxKeys: 4 })
const issuer = fc.constantFrom(...AUTHORITIES)

/** The same policy in the grammar of 7.3-preview. */
function inOldGrammar(item: PolicyCondition): unknown {
  if (!isClaimCondition(item)) {
    return item.allOf === undefined ? { anyOf: item.anyOf!.map(inOldGrammar) } : { allOf: item.allOf.map(inOldGrammar) }
  }
  const { claim: name, ...rest } = item
  const [[operator, operand]] = Object.entries(rest) as [[string, ClaimValue]]
  return { claim: name, condition: operator, value: operand }
}

/** How the grammar is read, said once more in other words: the leaves that were decided, put together. */
function holdsBy(item: PolicyCondition, leaves: Iterator<boolean>): boolean {
  if (isClaimCondition(item)) return leaves.next().value as boolean
  const members = (item.anyOf ?? item.allOf)!.map((member) => holdsBy(member, leaves))
  return item.anyOf === undefined ? !members.includes(false) : members.includes(true)
}

describe('the grammar', () => {
  it('gives every policy back as it went in', () => {
    fc.assert(
      fc.property(policy, (given) => {
        expect(parseReleasePolicy(given)).toEqual(given)
        expect(decodeReleasePolicy(encodeReleasePolicy(given))).toEqual(given)
      }),
    )
  })

  it('means the same in the form of 7.3-preview', () => {
    fc.assert(
      fc.property(policy, (given) => {
        const old = {
          version: '1.0',
          anyOf: given.anyOf.map(({ authority, ...group }) => ({ authority, ...(inOldGrammar(group) as object) })),
        }
        expect(parseReleasePolicy(old)).toEqual(given)
      }),
    )
  })

  it('takes a document or says what is wrong with it, whatever it is', () => {
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.string(), fc.anything()), (given) => {
        try {
          expect(parseReleasePolicy(given)).toHaveProperty('anyOf')
        } catch (error) {
          expect(error).toBeInstanceOf(WireError)
        }
      }),
    )
  })

  it('takes no policy with one member more', () => {
    fc.assert(
      fc.property(policy, fc.string({ minLength: 1 }), fc.jsonValue(), (given, name, more) => {
        fc.pre(!(name in given) && name !== '__proto__')
        expect(() => parseReleasePolicy({ ...given, [name]: more })).toThrow(WireError)
      }),
    )
  })
})

describe('a decision', () => {
  it('is what anyOf and allOf make of its conditions, under an authority that is the issuer', () => {
    fc.assert(
      fc.property(policy, claims, issuer, (given, token, iss) => {
        const decision = evaluateReleasePolicy(given, { issuer: iss, claims: token })
        for (const [index, { allowed, issuerMatched, conditions }] of decision.authorities.entries()) {
          const leaves = conditions.map(({ met }) => met)[Symbol.iterator]()
          const { authority: _, ...group } = given.anyOf[index]!
          const hold = holdsBy(group, leaves)
          expect(allowed).toBe(issuerMatched && hold)
          expect(leaves.next().done).toBe(true)
        }
        expect(decision.allowed).toBe(decision.authorities.some(({ allowed }) => allowed))
      }),
    )
  })

  it('points from each condition to its place in the policy', () => {
    fc.assert(
      fc.property(policy, claims, issuer, (given, token, iss) => {
        for (const { conditions } of evaluateReleasePolicy(given, { issuer: iss, claims: token }).authorities) {
          for (const { at, claim: name } of conditions) {
            const place = at
              .slice(1)
              .split('/')
              .reduce<unknown>((inside, step) => (inside as Record<string, unknown>)[step], given)
            expect(place).toHaveProperty('claim', name)
          }
        }
      }),
    )
  })

  it('is never wider under a stricter setting', () => {
    const settings = fc.record({
      operators: fc.constantFrom('all', 'equals-only'),
      nesting: fc.constantFrom('allowed', 'refused'),
      trailingSlash: fc.constantFrom('ignored', 'significant'),
      coercion: fc.constantFrom('canonical', 'typed'),
    } as const)
    fc.assert(
      fc.property(policy, claims, issuer, settings, (given, token, iss, strict) => {
        const open = evaluateReleasePolicy(given, { issuer: iss, claims: token }).allowed
        expect(open || !evaluateReleasePolicy(given, { issuer: iss, claims: token }, strict).allowed).toBe(true)
      }),
    )
  })

  it('is a refusal for an issuer that no authority is, whatever its token claims', () => {
    fc.assert(
      fc.property(policy, claims, (given, token) => {
        expect(evaluateReleasePolicy(given, { issuer: 'https://evil.example', claims: token }).allowed).toBe(false)
      }),
    )
  })

  it('is a refusal without claims where each of them is wanted to be something', () => {
    const wanting = claim.filter((item) => !('exists' in item))
    fc.assert(
      fc.property(fc.array(wanting, { minLength: 1, maxLength: 3 }), fc.boolean(), (members, all) => {
        const given = { version: '1.0.0', anyOf: [{ authority: AUTHORITIES[0]!, [all ? 'allOf' : 'anyOf']: members }] }
        const token = { issuer: AUTHORITIES[0]!, claims: {} }
        expect(evaluateReleasePolicy(given as ReleasePolicy, token).allowed).toBe(false)
      }),
    )
  })
})
