import { COLLECTIONS, type EmulatorContext, type RoleAssignmentRecord, remembered } from '../core/index.ts'
import { openRoleDefinitions } from './custom-roles.ts'
import type { RolePermission } from './role.ts'
import { type Permission, permissionGrants, rolesGranting, scopeContains } from './rules.ts'

export interface Authorizer {
  /** `scopeId` is a full ARM id. Assignments at that scope and at every scope above it count. */
  check(principalId: string, permission: Permission, scopeId: string): AuthorizationDecision
  /** What a principal has at a scope, each permission of each of its roles. */
  permissionsAt(principalId: string, scopeId: string): RolePermission[]
  /** Whether a principal has any role at a scope, above it or below: what lets it know that the scope is there. */
  reaches(principalId: string, scopeId: string): boolean
  /** Names of the roles that would give a permission, the narrowest first. */
  rolesFor(permission: Permission): string[]
}

export interface AuthorizationDecision {
  readonly allowed: boolean
  /** The assignment that allows it. */
  readonly assignment?: RoleAssignmentRecord
}

/** Decisions that are not taken again until an assignment or a role changes. */
const MOST_DECISIONS = 2048

interface Grant {
  readonly assignment: RoleAssignmentRecord
  readonly permissions: readonly RolePermission[]
}

/** Decides from the role assignments that are in the store at the time of the question. */
export function createAuthorizer(ctx: Pick<EmulatorContext, 'store'>): Authorizer {
  const assignments = ctx.store.collection<RoleAssignmentRecord>(COLLECTIONS.roleAssignments)
  const definitions = openRoleDefinitions(ctx)
  // Every call of every service asks; the store is read again only after a change.
  let known: Map<string, Grant[]> | undefined
  const decisions = new Map<string, AuthorizationDecision>()
  ctx.store.watch([COLLECTIONS.roleAssignments, COLLECTIONS.roleDefinitions], () => {
    known = undefined
    decisions.clear()
  })
  const read = () => {
    const byPrincipal = new Map<string, Grant[]>()
    for (const assignment of assignments.values()) {
      const permissions = definitions.find(assignment.roleDefinitionId)?.permissions
      if (permissions === undefined) continue
      const key = assignment.principalId.toLowerCase()
      byPrincipal.set(key, [...(byPrincipal.get(key) ?? []), { assignment, permissions }])
    }
    return byPrincipal
  }
  const allOf = (principalId: string) => {
    known ??= read()
    return known.get(principalId.toLowerCase()) ?? []
  }
  const grantsOf = (principalId: string, scopeId: string) =>
    allOf(principalId).filter(({ assignment }) => scopeContains(assignment.scope, scopeId))
  const decide = (principalId: string, permission: Permission, scopeId: string): AuthorizationDecision => {
    const found = grantsOf(principalId, scopeId).find(({ permissions }) =>
      permissions.some((granted) => permissionGrants(granted, permission)),
    )
    return found === undefined ? { allowed: false } : { allowed: true, assignment: found.assignment }
  }
  return {
    check(principalId, permission, scopeId) {
      const { dataAction, ...more } = permission
      // Only inside services is the same asked again and again.
      if (dataAction === undefined || Object.keys(more).length > 0) return decide(principalId, permission, scopeId)
      const question = `${principalId} ${dataAction} ${scopeId}`
      return remembered(decisions, question, MOST_DECISIONS, () => decide(principalId, permission, scopeId))
    },
    permissionsAt: (principalId, scopeId) =>
      grantsOf(principalId, scopeId).flatMap(({ permissions }) => [...permissions]),
    reaches: (principalId, scopeId) =>
      allOf(principalId).some(
        ({ assignment: { scope } }) => scopeContains(scope, scopeId) || scopeContains(scopeId, scope),
      ),
    rolesFor: (permission) => rolesGranting(definitions.all(), permission),
  }
}
