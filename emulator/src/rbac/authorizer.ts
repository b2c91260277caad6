import { COLLECTIONS, type EmulatorContext, type RoleAssignmentRecord } from '../core/index.ts'
import { findRole } from './definitions.ts'
import { type Permission, permissionGrants, scopeContains } from './rules.ts'

export interface Authorizer {
  /** `scopeId` is a full ARM id. Assignments at that scope and at every scope above it count. */
  check(principalId: string, permission: Permission, scopeId: string): AuthorizationDecision
}

export interface AuthorizationDecision {
  readonly allowed: boolean
  /** The assignment that allows it. */
  readonly assignment?: RoleAssignmentRecord
}

/** Decides from the role assignments that are in the store at the time of the question. */
export function createAuthorizer(ctx: Pick<EmulatorContext, 'store'>): Authorizer {
  const assignments = ctx.store.collection<RoleAssignmentRecord>(COLLECTIONS.roleAssignments)
  return {
    check(principalId, permission, scopeId) {
      const wanted = principalId.toLowerCase()
      const assignment = assignments.values().find((candidate) => {
        if (candidate.principalId.toLowerCase() !== wanted || !scopeContains(candidate.scope, scopeId)) return false
        const definition = findRole(candidate.roleDefinitionId)
        return definition?.permissions.some((granted) => permissionGrants(granted, permission)) ?? false
      })
      return assignment === undefined ? { allowed: false } : { allowed: true, assignment }
    },
  }
}
