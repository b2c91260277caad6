import { describe, expect, it } from 'vitest'
import type { AccessPolicy } from '../../core/index.ts'
import { ArmError } from '../error.ts'
import { changeAccessPolicies, readAccessPolicies } from './access-policies.ts'

const TENANT = '11111111-1111-4111-8111-111111111111'
const policy = (objectId: string, keys: string[], more: Partial<AccessPolicy> = {}): AccessPolicy => ({
  tenantId: TENANT,
  objectId,
  permissions: { keys },
  ...more,
})
const messageOf = (read: () => unknown): string => {
  try {
    read()
  } catch (error) {
    if (error instanceof ArmError) return `${error.status} ${error.message}`
  }
  return 'nothing was refused'
}

describe('access policies', () => {
  it('are added to what their identity has, without a word twice', () => {
    const before = [policy('a', ['get', 'list'])]
    expect(changeAccessPolicies(before, 'add', [policy('A', ['GET', 'sign']), policy('b', ['get'])])).toEqual([
      policy('a', ['get', 'list', 'sign']),
      policy('b', ['get']),
    ])
  })
  it('take the place of what their identity has', () => {
    const before = [policy('a', ['get', 'list']), policy('b', ['get'])]
    expect(changeAccessPolicies(before, 'replace', [policy('a', ['sign'])])).toEqual([
      policy('a', ['sign']),
      policy('b', ['get']),
    ])
  })
  it('are removed word by word, and whole once nothing is left', () => {
    const before = [policy('a', ['get', 'list']), policy('b', ['get'])]
    expect(changeAccessPolicies(before, 'remove', [policy('a', ['get']), policy('b', ['get'])])).toEqual([
      policy('a', ['list']),
    ])
  })
  it('of an application on behalf of a principal are not those of the principal alone', () => {
    const both = policy('a', ['get'], { applicationId: 'app' })
    expect(changeAccessPolicies([policy('a', ['list'])], 'add', [both])).toEqual([policy('a', ['list']), both])
  })

  it.each<[string, unknown, string]>([
    ['no array', {}, '"accessPolicies" must be an array'],
    ['an entry without an object id', [{ tenantId: TENANT, permissions: {} }], '"accessPolicies[0].objectId"'],
    ['an entry of another tenant', [policy('a', [], { tenantId: 'other' })], '"accessPolicies[0].tenantId"'],
    ['an entry without permissions', [{ tenantId: TENANT, objectId: 'a' }], '"accessPolicies[0].permissions"'],
    ['a word that is none', [policy('a', ['sing'])], '\'sing\' is not one that "accessPolicies[0].permissions.keys"'],
    ['the same identity twice', [policy('a', []), policy('A', [])], "object ID 'A' is in more than one entry"],
    ['too many', Array.from({ length: 1025 }, (_, at) => policy(`o${at}`, [])), 'has 1025 entries'],
  ])('are refused as %s, by name', (_, value, message) => {
    expect(messageOf(() => readAccessPolicies(value, TENANT))).toContain(message)
  })
})
