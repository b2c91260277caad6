import { describe, expect, it } from 'vitest'
import { PROCESSOR_NAMES } from '../../psp/products.ts'
import {
  addAuthority,
  addFault,
  addReleasePolicy,
  parseProcessor,
  parseReportVersion,
  parseTrust,
  parseWebhook,
  TRUSTS,
} from './flags.ts'

describe('the values of skerry up', () => {
  it('add up where a flag is repeated', () => {
    expect(addAuthority('http://127.0.0.1:5001', addAuthority('https://attest.example'))).toEqual([
      'https://attest.example',
      'http://127.0.0.1:5001',
    ])
    expect(addReleasePolicy('nesting=refused', addReleasePolicy('operators=equals-only'))).toEqual({
      operators: 'equals-only',
      nesting: 'refused',
    })
    const faults = ['delete-delay=5s', 'recover-delay=P1D', 'purge-delay=1s', 'throttle=10:1', 'tamper=tcb']
    expect(
      faults.reduce<ReturnType<typeof addFault> | undefined>((before, text) => addFault(text, before), undefined),
    ).toEqual({
      tamper: 'tcb',
      keyVault: {
        deletionDelayMs: 5000,
        recoveryDelayMs: 86_400_000,
        purgeDelayMs: 1000,
        throttle: { every: 10, retryAfterSeconds: 1 },
      },
    })
  })

  it('say when tokens were revoked, and throttle without saying for how long', () => {
    expect(addFault('revoke-tokens-before=2026-01-31T12:00:00Z').keyVault).toEqual({
      tokensRevokedBefore: Date.parse('2026-01-31T12:00:00Z'),
    })
    expect(addFault('throttle=2').keyVault).toEqual({ throttle: { every: 2 } })
  })

  it('name any processor that there is, and whose processors are believed', () => {
    expect(PROCESSOR_NAMES.map(parseProcessor)).toEqual(PROCESSOR_NAMES)
    expect(PROCESSOR_NAMES).toEqual(expect.arrayContaining(['Milan', 'Genoa', 'Turin']))
    expect(['2', '3', '5'].map(parseReportVersion)).toEqual([2, 3, 5])
    expect(TRUSTS.map(parseTrust)).toEqual(['emulator', 'amd', 'both'])
  })

  it.each<[(text: string) => unknown, string, RegExp]>([
    [addAuthority, 'attest.example', /not an origin such as/],
    [addAuthority, 'https://attest.example/path', /not an origin such as/],
    [addAuthority, 'http://attest.example', /must be https, or http to loopback/],
    [parseProcessor, 'Naples', /a processor is Milan or Genoa or /],
    [parseProcessor, 'toString', /a processor is/],
    [parseReportVersion, '4', /reports have version 2 or 3 or 5/],
    [parseTrust, 'intel', /the trust is in emulator or amd or both/],
    [parseWebhook, 'nowhere', /URL/],
    [parseWebhook, 'file:///etc/passwd', /http/],
    [parseWebhook, 'http://example.com/hook', /https, or http to loopback/],
    [addReleasePolicy, 'operators', /it must be NAME=VALUE/],
    [addReleasePolicy, 'depth=3', /its points are operators, nesting, trailingSlash, coercion/],
    [addReleasePolicy, 'toString=1', /its points are/],
    [addReleasePolicy, 'coercion=none', /coercion is canonical or typed/],
    [addFault, 'delete-delay=soon', /delete-delay is a duration such as 90d/],
    [addFault, 'throttle=0', /throttle is which request is refused/],
    [addFault, 'revoke-tokens-before=then', /is a time such as/],
    [addFault, 'tamper=weather', /tamper is policy or debug or tcb/],
    [addFault, 'flood=1', /its faults are delete-delay/],
  ])('%o refuses %j', (parse, text, message) => {
    expect(() => parse(text)).toThrow(message)
  })
})
