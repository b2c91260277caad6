import type { RolePermissionRecord } from '../core/index.ts'

/** A role of Azure: built in, or made by somebody. */
export interface RoleDefinition {
  /** The GUID, lower case. */
  readonly name: string
  readonly roleName: string
  readonly description: string
  readonly permissions: readonly RolePermission[]
}

export interface RolePermission extends RolePermissionRecord {
  /** GUIDs: the condition of the role lets its holder assign and take these roles and no other. */
  readonly assignableRoles?: readonly string[]
}

export interface Grants {
  readonly actions?: readonly string[]
  readonly notActions?: readonly string[]
  readonly dataActions?: readonly string[]
  readonly assignableRoles?: readonly string[]
}

export function role(name: string, roleName: string, description: string, grants: Grants): RoleDefinition {
  const { actions = [], notActions = [], dataActions = [], assignableRoles } = grants
  const permission = { actions, notActions, dataActions, notDataActions: [] }
  const permissions = [assignableRoles === undefined ? permission : { ...permission, assignableRoles }]
  return { name, roleName, description, permissions }
}
