import { describe, expect, it } from 'vitest'
import { aciReleasePolicy, authorityUrl } from './aci-release-policy.ts'
import { decodeHex } from './bytes.ts'
import { evaluateReleasePolicy } from './release-decision.ts'
import { parseReleasePolicy } from './release-policy.ts'

const OLD = 'aa'.repeat(32)
const NEW = 'bb'.repeat(32)
const HOST = 'sharedweu.weu.attest.azure.net'
const TOKEN = {
  issuer: `https://${HOST}`,
  claims: {
    'x-ms-attestation-type': 'sevsnpvm',
    'x-ms-compliance-status': 'azure-compliant-uvm',
    'x-ms-sevsnpvm-hostdata': OLD,
    'x-ms-sevsnpvm-is-debuggable': false,
    'x-ms-sevsnpvm-vmpl': 0,
  },
}

describe('the release policy of a container group', () => {
  it('is met by its own token and by no other', () => {
    const policy = aciReleasePolicy({ authority: HOST, hostData: decodeHex(OLD) })
    expect(parseReleasePolicy(policy)).toEqual(policy)
    expect(evaluateReleasePolicy(policy, TOKEN).allowed).toBe(true)
    for (const [name, value] of [
      ['x-ms-attestation-type', 'sgx'],
      ['x-ms-compliance-status', undefined],
      ['x-ms-sevsnpvm-hostdata', NEW],
      ['x-ms-sevsnpvm-is-debuggable', true],
      ['x-ms-sevsnpvm-vmpl', 1],
    ] as const) {
      const decision = evaluateReleasePolicy(policy, { ...TOKEN, claims: { ...TOKEN.claims, [name]: value } })
      expect(decision.allowed).toBe(false)
      expect(decision.authorities[0]?.conditions.filter(({ met }) => !met).map(({ claim }) => claim)).toEqual([name])
    }
  })

  it('accepts old and new host data during an upgrade, without nested groups', () => {
    const policy = aciReleasePolicy({ authority: HOST, hostData: [OLD.toUpperCase(), NEW] })
    expect(policy.anyOf.length).toBe(2)
    for (const hostData of [OLD, NEW]) {
      const claims = { ...TOKEN.claims, 'x-ms-sevsnpvm-hostdata': hostData }
      expect(evaluateReleasePolicy(policy, { ...TOKEN, claims }).allowed).toBe(true)
    }
  })

  it('adds further conditions and does not repeat those that always hold', () => {
    const claims = [
      [
        { claim: 'x-ms-sevsnpvm-hostdata', equals: OLD },
        { claim: 'x-ms-sevsnpvm-is-debuggable', equals: false },
        { claim: 'x-ms-sevsnpvm-microcode-svn', greaterOrEquals: 219 },
      ],
    ]
    const [rule] = aciReleasePolicy({ authority: HOST, hostData: OLD, claims }).anyOf
    expect(rule?.allOf?.length).toBe(6)
    expect(rule?.allOf?.at(-1)).toEqual({ claim: 'x-ms-sevsnpvm-microcode-svn', greaterOrEquals: 219 })
  })

  it.each([
    [{ claim: 'x-ms-sevsnpvm-hostdata', equals: NEW }],
    [{ claim: 'x-ms-sevsnpvm-is-debuggable', equals: 'true' }],
    [{ claim: 'x-ms-sevsnpvm-vmpl', less: 2 }],
  ])('refuses %j, which contradicts what must hold', (condition) => {
    expect(() => aciReleasePolicy({ authority: HOST, hostData: OLD, claims: [[condition]] })).toThrow(
      'another value than',
    )
  })

  it('refuses host data that is not 32 bytes', () => {
    expect(() => aciReleasePolicy({ authority: HOST, hostData: 'aa' })).toThrow('32 bytes')
    expect(() => aciReleasePolicy({ authority: HOST, hostData: [] })).toThrow('at least one')
  })
})

describe('an authority', () => {
  it.each([HOST, `https://${HOST}`, `https://${HOST}/`])('given as %s is a URL without a final slash', (endpoint) => {
    expect(authorityUrl(endpoint)).toBe(`https://${HOST}`)
  })
})
