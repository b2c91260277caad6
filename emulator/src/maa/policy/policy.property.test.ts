import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { PolicyRunError, PolicySyntaxError } from './errors.ts'
import { evaluateConfiguration, evaluatePolicy } from './evaluate.ts'
import { parsePolicy } from './parse.ts'
import { FUNCTIONS, OPERATORS, PROPERTIES, VERBS } from './syntax.ts'
import type { Claim } from './value.ts'

/* Whatever is sent as a policy: it is parsed or refused, evaluated or refused, and never anything else. */

const CLAIMS: readonly Claim[] = [
  { type: 'a', value: 'x', issuer: 'AttestationService' },
  { type: 'a', value: 2, issuer: 'AttestationService' },
  { type: 'b', value: true, issuer: 'CustomClaim' },
]

function run(text: string): 'refused' | 'evaluated' {
  try {
    const policy = parsePolicy(text)
    evaluateConfiguration(policy)
    evaluatePolicy(policy, CLAIMS)
    return 'evaluated'
  } catch (error) {
    if (error instanceof PolicySyntaxError || error instanceof PolicyRunError) return 'refused'
    throw error
  }
}

const word = fc.constantFrom(
  ...[
    'version',
    '=',
    '1',
    '.',
    '0',
    '2',
    ';',
    '{',
    '}',
    '[',
    ']',
    '(',
    ')',
    '=>',
    '&&',
    '!',
    ':',
    ',',
    '//',
    '\n',
    '"a"',
  ],
  ...['authorizationrules', 'issuancerules', 'configurationrules', 'c', 'claim', 'true', '-1', '"', '\\'],
  ...['permit', ...VERBS.issuancerules, ...OPERATORS, ...PROPERTIES, ...Object.keys(FUNCTIONS)],
)

const text = (value: string) => JSON.stringify(value)
const literal = fc.oneof(
  fc.constantFrom('a', 'b', 'x', '{"k":[1,2]}', 'k', '[1]').map(text),
  fc.integer().map(String),
  fc.boolean().map(String),
)
const expression = fc.letrec<{ all: string }>((tie) => ({
  all: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    literal,
    fc.constantFrom('c.value', 'c.type', 'c.issuer', 'c.valueType'),
    fc
      .tuple(fc.constantFrom(...Object.entries(FUNCTIONS)), tie('all'), tie('all'))
      .map(([[name, count], ...args]) => `${name}(${args.slice(0, count).join(', ')})`),
  ),
})).all
const comparison = fc
  .tuple(fc.constantFrom(...PROPERTIES), fc.constantFrom(...OPERATORS), expression)
  .map((parts) => parts.join(' '))
const condition = fc
  .tuple(fc.constantFrom('', '!', 'c:', 'd:'), fc.array(comparison, { minLength: 1, maxLength: 3 }))
  .map(([mark, comparisons]) => `${mark}[${comparisons.join(', ')}]`)
const rule = (verbs: readonly string[]) =>
  fc
    .tuple(fc.array(condition, { maxLength: 3 }), fc.constantFrom(...verbs), expression)
    .map(([conditions, verb, value]) => {
      const given = verb === 'permit' || verb === 'deny' ? '' : `type="b", value=${value}`
      return `${conditions.join(' && ')} => ${verb}(${given});`
    })
const policy = fc
  .tuple(fc.array(rule(VERBS.authorizationrules), { maxLength: 6 }), fc.array(rule(['add', 'issue']), { maxLength: 6 }))
  .map(
    ([authorization, issuance]) =>
      `version=1.2;authorizationrules{${authorization.join('\n')}};issuancerules{${issuance.join('\n')}};`,
  )

describe('whatever is sent as a policy', () => {
  it('any text is taken or refused', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (any) => {
        expect(run(any)).toBe('refused')
      }),
    )
  })

  it('any words of the language in any order are taken or refused', () => {
    fc.assert(
      fc.property(fc.array(word, { maxLength: 60 }), (words) => {
        expect(['refused', 'evaluated']).toContain(run(`version=1.2;authorizationrules{${words.join(' ')}`))
      }),
      { numRuns: 500 },
    )
  })

  it('any policy of the grammar is evaluated, or refused for a reason of the language', () => {
    const seen = new Set<string>()
    fc.assert(
      fc.property(policy, (one) => {
        seen.add(run(one))
      }),
      { numRuns: 500 },
    )
    expect([...seen].sort()).toEqual(['evaluated', 'refused'])
  })

  it('a policy with something cut out is taken or refused, and where it is refused lies within it', () => {
    fc.assert(
      fc.property(policy, fc.nat(), fc.integer({ min: 1, max: 20 }), (one, from, length) => {
        const start = from % one.length
        const cut = one.slice(0, start) + one.slice(start + length)
        try {
          parsePolicy(cut)
        } catch (error) {
          expect(error).toBeInstanceOf(PolicySyntaxError)
          const { line, column } = error as PolicySyntaxError
          const lines = cut.split('\n')
          expect(line).toBeLessThanOrEqual(lines.length)
          expect(column).toBeLessThanOrEqual(lines[line - 1]!.length)
        }
      }),
      { numRuns: 300 },
    )
  })
})
