import { describe, expect, it } from 'vitest'
import type { KeyRecord } from '../state.ts'
import { type NewVersionRequest, settleNewVersion, settleUpdate } from './export-rules.ts'

const policy = (more: object = {}) => ({
  contentType: 'application/json; charset=utf-8',
  data: Buffer.from(
    '{"version":"1.0.0","anyOf":[{"authority":"https://a.net","anyOf":[{"claim":"c","equals":"v"}]}]}',
  ).toString('base64url'),
  immutable: false,
  ...more,
})
const request = (more: Partial<NewVersionRequest>): NewVersionRequest => ({
  store: 'premium',
  apiVersion: '7.4',
  kty: 'RSA-HSM',
  keyOps: [],
  exportable: undefined,
  policy: undefined,
  ...more,
})
const key = (more: Partial<KeyRecord>): KeyRecord => ({
  host: 'h',
  name: 'k',
  exportable: false,
  versions: [],
  ...more,
})
const exportableKey = key({ exportable: true, releasePolicy: policy() })

describe('a new version', () => {
  it.each([
    ['AKV.SKR.1001', request({ store: 'standard', exportable: true, policy: policy() })],
    ['AKV.SKR.1001', request({ apiVersion: '7.2', exportable: true, policy: policy() })],
    ['AKV.SKR.1004: Exportable keys must have release policy.', request({ exportable: true })],
    ['AKV.SKR.1004', request({ exportable: true, policy: policy({ data: '' }) })],
    ['AKV.SKR.1005: Non-exportable keys must not have release policy.', request({ policy: policy() })],
    ['AKV.SKR.1006', request({ kty: 'RSA', exportable: true, policy: policy() })],
    ['Key Release Policy: ', request({ exportable: true, policy: policy({ data: 'e30' }) })],
  ])('is refused: %s', (message, wanted) => {
    expect(() => settleNewVersion(wanted, undefined)).toThrow(message)
  })

  it('of an exportable key shares its policy', () => {
    expect(settleNewVersion(request({}), exportableKey)).toMatchObject({ exportable: true, releasePolicy: policy() })
  })

  it('cannot be exportable when the key is not, or the other way round', () => {
    expect(() => settleNewVersion(request({ exportable: false }), exportableKey)).toThrow('AKV.SKR.1003')
    expect(() => settleNewVersion(request({ exportable: true, policy: policy() }), key({}))).toThrow('AKV.SKR.1003')
  })

  it('brings no other policy when that is immutable', () => {
    const fixed = key({ exportable: true, releasePolicy: policy({ immutable: true }) })
    expect(() => settleNewVersion(request({ exportable: true, policy: policy() }), fixed)).toThrow('AKV.SKR.1020')
  })

  it('is refused by a managed HSM without the number and the full stop', () => {
    const wanted = request({ store: 'managedHsm', exportable: true })
    expect(() => settleNewVersion(wanted, undefined)).toThrow(/^Exportable keys must have release policy$/)
  })

  it('for secure unwrap carries a policy on a managed HSM although it never leaves', () => {
    const wanted = request({ store: 'managedHsm', keyOps: ['secureUnwrapKey'], policy: policy() })
    expect(settleNewVersion(wanted, undefined)).toMatchObject({ exportable: false })
  })
})

describe('an update', () => {
  const update = (more: object) => ({
    store: 'premium' as const,
    exportable: undefined,
    policy: undefined,
    versioned: false,
    ...more,
  })

  it('that would make a key exportable is refused before anything else', () => {
    const wanted = update({ exportable: true, policy: policy(), versioned: true })
    expect(() => settleUpdate(wanted, key({}))).toThrow('AKV.SKR.1014: Cannot modify the exportable state of a key.')
  })

  it('may repeat the present exportability', () => {
    expect(settleUpdate(update({ exportable: true }), exportableKey)).toMatchObject({ exportable: true })
  })

  it('sets a policy on the key, not on a version', () => {
    expect(() => settleUpdate(update({ policy: policy(), versioned: true }), exportableKey)).toThrow('AKV.SKR.1016')
  })

  it('makes a policy immutable for good', () => {
    const fixed = settleUpdate(update({ policy: policy({ immutable: true }) }), exportableKey)
    expect(fixed.releasePolicy?.immutable).toBe(true)
    const again = update({ policy: policy({ immutable: true }), versioned: true })
    expect(() => settleUpdate(again, key(fixed))).toThrow(
      'AKV.SKR.1020: Immutable Key Release Policy cannot be modified.',
    )
  })
})
