import { groupId, templateGuid } from '../arm/index.ts'
import { COLLECTIONS, type EmulatorContext, type RoleAssignmentRecord, type VaultRecord } from '../core/index.ts'
import { findLocalRole, LOCAL_ROLES } from '../keyvault/local-rbac/roles.ts'
import { keyVaultParts } from '../keyvault/parts.ts'
import { findRole, findRoleByRoleName } from '../rbac/index.ts'
import type { Principals } from './directory.ts'
import { SeedError } from './error.ts'
import { findVault, managedHsmHost, vaultHost } from './resources.ts'
import type { SeedDocument } from './schema.ts'

type Path = readonly (string | number)[]

/** Role assignments of Resource Manager and of managed HSMs; called in a transaction. */
export function plantRoles(ctx: EmulatorContext, document: SeedDocument, principals: Principals): void {
  const records = ctx.store.collection<RoleAssignmentRecord>(COLLECTIONS.roleAssignments)
  for (const [at, { principal, role, scope }] of (document.roleAssignments ?? []).entries()) {
    const path = ['roleAssignments', at]
    const record = assignmentOf(ctx, {
      scope: scopeId(ctx, scope, [...path, 'scope']),
      role: roleGuid(role, [...path, 'role']),
      principalId: principals.idOf(principal, [...path, 'principal']),
      principals,
    })
    if (!records.values().some((other) => sameGrant(other, record))) records.put(record.id.toLowerCase(), record)
  }
  const { localRbac } = keyVaultParts(ctx)
  for (const [at, { managedHsm, principal, role, scope = '/' }] of (document.localRoleAssignments ?? []).entries()) {
    const path = ['localRoleAssignments', at]
    const host = managedHsmHost(managedHsm)
    requireVault(ctx, host, [...path, 'managedHsm'])
    const guid = localRoleGuid(role, [...path, 'role'])
    const principalId = principals.idOf(principal, [...path, 'principal'])
    const isSame = (other: { scope: string; role: string; principalId: string }) =>
      [other.scope, other.role, other.principalId].join().toLowerCase() ===
      [scope, guid, principalId].join().toLowerCase()
    if (localRbac.all(host).some(isSame)) continue
    localRbac.put({ host, name: ctx.random.uuid(), scope, role: guid, principalId })
  }
}

function assignmentOf(
  { seed, clock }: EmulatorContext,
  grant: { scope: string; role: string; principalId: string; principals: Principals },
): RoleAssignmentRecord {
  const { scope, role, principalId, principals } = grant
  const name = templateGuid(scope, principalId, role)
  return {
    id: `${scope}/providers/Microsoft.Authorization/roleAssignments/${name}`,
    name,
    scope,
    roleDefinitionId: `/subscriptions/${seed.subscriptionId}/providers/Microsoft.Authorization/roleDefinitions/${role}`,
    principalId,
    principalType: principals.typeOf(principalId),
    createdOn: new Date(clock.now()).toISOString(),
    createdBy: seed.admin.objectId,
  }
}

function sameGrant(a: RoleAssignmentRecord, b: RoleAssignmentRecord): boolean {
  const guid = ({ roleDefinitionId }: RoleAssignmentRecord) =>
    roleDefinitionId.slice(roleDefinitionId.lastIndexOf('/') + 1)
  const grant = (record: RoleAssignmentRecord) => [record.scope, record.principalId, guid(record)].join().toLowerCase()
  return grant(a) === grant(b)
}

/** A built-in role by its GUID or name; the GUID. */
function roleGuid(role: string, path: Path): string {
  const found = findRole(role) ?? findRoleByRoleName(role)
  if (found === undefined) throw new SeedError(path, 'wanted the name or GUID of a built-in role')
  return found.name
}

function localRoleGuid(role: string, path: Path): string {
  const wanted = role.toLowerCase()
  const found = findLocalRole(role) ?? LOCAL_ROLES.find(({ roleName }) => roleName.toLowerCase() === wanted)
  if (found === undefined) throw new SeedError(path, 'wanted the name or GUID of a built-in role of managed HSMs')
  return found.guid
}

const FORMS = 'subscription, resourceGroups/NAME, vaults/NAME, vaults/NAME/keys/KEY, managedHsms/NAME or a full ARM id'

/** The ARM id of a scope. What it names must exist, but for a key, which may come later. */
function scopeId(ctx: EmulatorContext, scope: string, path: Path): string {
  const { subscriptionId } = ctx.seed
  if (/^\/(subscriptions\/[0-9a-f-]{36}(\/.+)?)?$/i.test(scope)) return scope.replace(/(.)\/+$/, '$1')
  if (scope.toLowerCase() === 'subscription') return `/subscriptions/${subscriptionId}`
  const [kind = '', name = '', keys, key, ...rest] = scope.split('/')
  const isKey = keys?.toLowerCase() === 'keys' && key !== undefined && rest.length === 0
  if (name === '' || !(keys === undefined || isKey)) throw new SeedError(path, `wanted ${FORMS}`)
  switch (kind.toLowerCase()) {
    case 'resourcegroups':
      if (isKey) break
      return groupId(subscriptionId, name)
    case 'vaults': {
      const { id } = requireVault(ctx, vaultHost(name), path)
      return isKey ? `${id}/keys/${key}` : id
    }
    case 'managedhsms':
      if (isKey) break
      return requireVault(ctx, managedHsmHost(name), path).id
  }
  throw new SeedError(path, `wanted ${FORMS}`)
}

function requireVault(ctx: EmulatorContext, host: string, path: Path): VaultRecord {
  const found = findVault(ctx, host)
  if (found === undefined) throw new SeedError(path, `wanted a vault or managed HSM that exists: there is no ${host}`)
  return found
}
