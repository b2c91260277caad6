import { describe, expect, it } from 'vitest'
import { normaliseForManagedHsm, normaliseForVault } from './release-policy.ts'

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const decode = (data: string) => Buffer.from(data, 'base64url').toString()

const POLICY = {
  anyOf: [{ allOf: [{ equals: true, claim: 'debug' }], authority: 'https://a.attest.azure.net' }],
  version: '1.0.0',
}

describe('a vault', () => {
  it('rebuilds the policy in its own order and keeps the types', () => {
    expect(decode(normaliseForVault(encode(POLICY)))).toBe(
      '{"version":"1.0.0","anyOf":[{"authority":"https://a.attest.azure.net","allOf":[{"claim":"debug","equals":true}]}]}',
    )
  })

  it('rewrites the old grammar', () => {
    const old = {
      version: '1.0',
      anyOf: [{ authority: 'https://a.net/', anyOf: [{ claim: 'c', condition: 'equals', value: 'v' }] }],
    }
    expect(decode(normaliseForVault(encode(old)))).toBe(
      '{"version":"1.0.0","anyOf":[{"authority":"https://a.net/","anyOf":[{"claim":"c","equals":"v"}]}]}',
    )
  })

  it.each([
    ['no JSON', Buffer.from('{').toString('base64url')],
    ['no object', encode([])],
    ['no authority', encode({ version: '1.0.0', anyOf: [] })],
    ['both anyOf and allOf', encode({ version: '1.0.0', anyOf: [{ ...POLICY.anyOf[0], anyOf: [] }] })],
  ])('refuses a policy with %s', (_, data) => {
    expect(() => normaliseForVault(data)).toThrow(/JSON object|anyOf/)
  })
})

describe('a managed HSM', () => {
  it('sorts the members and gives a bare host its slash', () => {
    expect(decode(normaliseForManagedHsm(encode(POLICY)))).toBe(
      '{"anyOf":[{"allOf":[{"claim":"debug","equals":true}],"authority":"https://a.attest.azure.net/"}],"version":"1.0.0"}',
    )
  })

  it('misses the version by name', () => {
    expect(() => normaliseForManagedHsm(encode({ anyOf: POLICY.anyOf }))).toThrow("missing 'version' property")
  })
})
