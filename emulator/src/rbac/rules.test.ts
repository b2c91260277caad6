import { describe, expect, it } from 'vitest'
import { COLLECTIONS, openStore, type RoleAssignmentRecord } from '../core/index.ts'
import {
  actionMatches,
  BUILT_IN_ROLES,
  createAuthorizer,
  findRole,
  findRoleByRoleName,
  rolesGranting,
  scopeContains,
} from './index.ts'

const subscription = '/subscriptions/0b1f6471-1bf0-4dda-aec3-111122223333'
const vault = `${subscription}/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/v`

function authorizerWith(roleName: string, scope: string) {
  const store = openStore()
  const name = '11111111-1111-1111-1111-111111111111'
  const id = `${scope}/providers/Microsoft.Authorization/roleAssignments/${name}`
  const roleDefinitionId = `${subscription}/providers/Microsoft.Authorization/roleDefinitions/${findRoleByRoleName(roleName)?.name}`
  const record: RoleAssignmentRecord = {
    id,
    name,
    scope,
    roleDefinitionId,
    principalId: 'p',
    createdOn: '2026-01-01T00:00:00Z',
    createdBy: 'p',
  }
  store.collection<RoleAssignmentRecord>(COLLECTIONS.roleAssignments).put(id.toLowerCase(), record)
  return createAuthorizer({ store })
}

describe('an action pattern', () => {
  it.each([
    ['*', 'Microsoft.KeyVault/vaults/read', true],
    ['*/read', 'Microsoft.KeyVault/vaults/read', true],
    ['*/read', 'Microsoft.KeyVault/vaults/write', false],
    ['Microsoft.KeyVault/vaults/*', 'microsoft.keyvault/VAULTS/keys/release/action', true],
    ['Microsoft.KeyVault/vaults/*', 'Microsoft.KeyVault/vaults', false],
    ['Microsoft.Authorization/*/Write', 'Microsoft.Authorization/roleAssignments/write', true],
    ['Microsoft.KeyVault/vaults/keys/read', 'Microsoft.KeyVault/vaults/keys/read', true],
    ['Microsoft.KeyVault/vaults/keys/read', 'Microsoft.KeyVault/vaults/keys/readAll', false],
    ['a*a', 'a', false],
    ['a*b*c', 'axbyc', true],
    ['a*b*c', 'axyc', false],
  ])('%s covers %s: %s', (pattern, action, covered) => {
    expect(actionMatches(pattern, action)).toBe(covered)
  })
})

describe('a scope', () => {
  it('holds for what lies below it, whatever the case', () => {
    expect(scopeContains(subscription.toUpperCase(), vault)).toBe(true)
  })
  it('does not hold for a neighbour whose name only starts the same', () => {
    expect(scopeContains(vault, `${vault}2`)).toBe(false)
  })
  it('does not hold for what lies above it', () => {
    expect(scopeContains(vault, subscription)).toBe(false)
  })
})

describe('the authorizer', () => {
  it('lets an assignment on the subscription hold for a key in a vault', () => {
    const authorizer = authorizerWith('Key Vault Administrator', subscription)
    const decision = authorizer.check(
      'P',
      { dataAction: 'Microsoft.KeyVault/vaults/keys/release/action' },
      `${vault}/keys/k`,
    )
    expect(decision.allowed).toBe(true)
    expect(decision.assignment?.principalId).toBe('p')
  })
  it('gives the release role the release of keys and not their reading', () => {
    const authorizer = authorizerWith('Key Vault Crypto Service Release User', vault)
    expect(authorizer.check('p', { dataAction: 'Microsoft.KeyVault/vaults/keys/release/action' }, vault).allowed).toBe(
      true,
    )
    expect(authorizer.check('p', { dataAction: 'Microsoft.KeyVault/vaults/keys/read' }, vault).allowed).toBe(false)
  })
  it('keeps a contributor from assigning roles', () => {
    const authorizer = authorizerWith('Contributor', subscription)
    expect(authorizer.check('p', { action: 'Microsoft.ContainerInstance/containerGroups/write' }, vault).allowed).toBe(
      true,
    )
    expect(authorizer.check('p', { action: 'Microsoft.Authorization/roleAssignments/write' }, vault).allowed).toBe(
      false,
    )
  })
  it('gives an owner no data action', () => {
    const authorizer = authorizerWith('Owner', subscription)
    expect(authorizer.check('p', { dataAction: 'Microsoft.KeyVault/vaults/keys/read' }, vault).allowed).toBe(false)
  })
  it('gives another principal nothing', () => {
    expect(authorizerWith('Owner', subscription).check('q', { action: 'a/read' }, vault).allowed).toBe(false)
  })
  it('answers no to a question without an action', () => {
    expect(authorizerWith('Owner', subscription).check('p', {}, vault).allowed).toBe(false)
  })
})

describe('the roles that give a permission', () => {
  it('are named the narrowest first', () => {
    const release = { dataAction: 'Microsoft.KeyVault/vaults/keys/release/action' }
    expect(rolesGranting(BUILT_IN_ROLES, release)).toEqual([
      'Key Vault Crypto Service Release User',
      'Key Vault Crypto Officer',
      'Key Vault Administrator',
    ])
  })
})

describe('a role that is limited to some roles', () => {
  const assign = (assignedRole: string) => ({ action: 'Microsoft.Authorization/roleAssignments/write', assignedRole })
  it('gives those and no other', () => {
    const authorizer = authorizerWith('Key Vault Data Access Administrator', vault)
    expect(authorizer.check('p', assign(findRoleByRoleName('Key Vault Reader')?.name ?? ''), vault).allowed).toBe(true)
    expect(authorizer.check('p', assign(findRoleByRoleName('Owner')?.name ?? ''), vault).allowed).toBe(false)
  })
  it('leaves others unlimited', () => {
    const owner = findRoleByRoleName('Owner')?.name ?? ''
    expect(authorizerWith('Owner', vault).check('p', assign(owner), vault).allowed).toBe(true)
  })
})

describe('the built-in roles', () => {
  it('have distinct GUIDs', () => {
    expect(new Set(BUILT_IN_ROLES.map((role) => role.name)).size).toBe(BUILT_IN_ROLES.length)
  })
  it('are found by a full definition id', () => {
    const id = `${subscription}/providers/Microsoft.Authorization/roleDefinitions/8E3AF657-a8ff-443c-a75c-2fe8c4bcb635`
    expect(findRole(id)?.roleName).toBe('Owner')
  })
})
