import { describe, expect, it } from 'vitest'
import type { JournalRecord } from '../core/index.ts'
import { explanation } from './explanation.ts'

const denial: JournalRecord = {
  seq: 2,
  time: '2026-01-01T08:00:00.000Z',
  service: 'keyvault',
  operation: 'release',
  outcome: 'denied',
  subject: 'https://v.vault.azure.net/keys/k/1',
  summary: 'The release policy is not met.',
  conditions: [
    { name: 'x-ms-sevsnpvm-is-debuggable', wanted: false, found: false, met: true },
    {
      name: 'x-ms-sevsnpvm-hostdata',
      wanted: 'aa',
      found: 'bb',
      met: false,
      hint: 'Deploy the policy the key was made for.',
    },
  ],
  action: 'Compare the policies.',
  answer: { status: 403, code: 'Forbidden' },
}
const allowed: JournalRecord = { ...denial, seq: 3, outcome: 'allowed' }
const refusedHost: JournalRecord = {
  seq: 4,
  time: '2026-01-01T08:00:02.000Z',
  service: 'proxy',
  operation: 'connect',
  outcome: 'denied',
  subject: 'example.com',
  summary: 'example.com is not emulated, and nothing is forwarded.',
}

describe('an explanation', () => {
  it('says what was asked, by whom it was refused and with what answer', () => {
    expect(explanation([denial, allowed]).split('\n').slice(0, 2)).toEqual([
      'keyvault denied release of https://v.vault.azure.net/keys/k/1  (answered 403 Forbidden)',
      'The release policy is not met.',
    ])
  })

  it('shows claim, wanted, found and what to do, the unmet condition first', () => {
    const text = explanation([denial, allowed])
    const lines = text.split('\n').map((line) => line.trim())
    expect(lines.findIndex((line) => line.includes('hostdata'))).toBeLessThan(
      lines.findIndex((line) => line.includes('is-debuggable')),
    )
    expect(text).toMatch(/✗ x-ms-sevsnpvm-hostdata\n +wanted +aa\n +found +bb\n +do +Deploy the policy/)
    expect(text).toMatch(/✓ x-ms-sevsnpvm-is-debuggable +false/)
    expect(text).toContain('What to do: Compare the policies.')
  })

  it('names the refusals before the last one, and shows the one that is asked for', () => {
    expect(explanation([denial, allowed, refusedHost])).toMatch(
      /^proxy denied connect of example\.com[\s\S]*--record[\s\S]* 2 {2}08:00:00 {2}keyvault release of https:.*: 403$/,
    )
    expect(explanation([denial, allowed, refusedHost], 2)).toBe(explanation([denial, allowed]))
  })

  it('says so when nothing was refused, and names what failed', () => {
    expect(explanation([])).toBe('Nothing was refused: the journal holds no decisions.')
    expect(explanation([allowed])).toBe('Nothing was refused: the journal holds 1 decision.')
    expect(explanation([allowed, { ...refusedHost, outcome: 'failed' }])).toMatch(
      /^Nothing was refused: the journal holds 2 decisions\.\n.*\n.*proxy connect of example\.com\n.*is not emulated/,
    )
  })
})
