import { withoutTrailing } from '../core/trim-end.ts'
import type { RoleDefinition, RolePermission } from './role.ts'

/** What somebody wants to do: on the management side (`action`) or inside a service (`dataAction`). */
export interface Permission {
  readonly action?: string
  readonly dataAction?: string
  /** Of an assignment that is to be made or taken: the GUID of its role, which the caller's own role may limit. */
  readonly assignedRole?: string
}

/** Whether an action pattern (`Microsoft.KeyVault/vaults/*`) covers an action; case does not count. */
export function actionMatches(pattern: string, action: string): boolean {
  const parts = pattern.toLowerCase().split('*')
  const text = action.toLowerCase()
  if (parts.length === 1) return parts[0] === text
  const head = parts[0]!
  const tail = parts.at(-1)!
  if (text.length < head.length + tail.length || !text.startsWith(head) || !text.endsWith(tail)) return false
  let from = head.length
  const end = text.length - tail.length
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, from)
    if (found < 0 || found + part.length > end) return false
    from = found + part.length
  }
  return true
}

export function permissionGrants(granted: RolePermission, wanted: Permission): boolean {
  const covered = (patterns: readonly string[], action: string) => patterns.some((p) => actionMatches(p, action))
  const { action, dataAction, assignedRole } = wanted
  if (action !== undefined) {
    if (!covered(granted.actions, action) || covered(granted.notActions, action)) return false
  }
  if (dataAction !== undefined) {
    if (!covered(granted.dataActions, dataAction) || covered(granted.notDataActions, dataAction)) return false
  }
  if (assignedRole !== undefined && granted.assignableRoles !== undefined) {
    if (!granted.assignableRoles.includes(assignedRole)) return false
  }
  return action !== undefined || dataAction !== undefined
}

/** The names of the roles that give a permission, the narrowest first: what a person would assign after a refusal. */
export function rolesGranting(roles: readonly RoleDefinition[], wanted: Permission): string[] {
  return roles
    .filter(({ permissions }) => permissions.some((granted) => permissionGrants(granted, wanted)))
    .map(({ roleName, permissions }) => ({
      roleName,
      breadth: Math.min(...permissions.map((granted) => breadthFor(granted, wanted))),
      size: sizeOf(permissions),
    }))
    .sort((a, b) => a.breadth - b.breadth || a.size - b.size)
    .map(({ roleName }) => roleName)
}

/** How much more than what was wanted the pattern covers that gives it: the earlier its wildcard, the more. */
function breadthFor({ actions, dataActions }: RolePermission, { action, dataAction }: Permission): number {
  const covering = [
    ...actions.filter((pattern) => action !== undefined && actionMatches(pattern, action)),
    ...dataActions.filter((pattern) => dataAction !== undefined && actionMatches(pattern, dataAction)),
  ]
  return Math.min(...covering.map((pattern) => (pattern.includes('*') ? 1 / (1 + pattern.indexOf('*')) : 0)))
}

/** What else a role has; what it takes away again counts a little. */
function sizeOf(permissions: readonly RolePermission[]): number {
  const given = permissions.flatMap(({ actions, dataActions }) => [...actions, ...dataActions])
  const taken = permissions.flatMap(({ notActions, notDataActions }) => [...notActions, ...notDataActions])
  return given.length - taken.length / 100
}

/** Whether what is assigned at `scope` holds at `id`: the same resource, or one below it. `/` is above everything. */
export function scopeContains(scope: string, id: string): boolean {
  const upper = trimmed(scope)
  const lower = trimmed(id)
  return upper === '' || lower === upper || lower.startsWith(`${upper}/`)
}

function trimmed(id: string): string {
  return withoutTrailing(id, '/').toLowerCase()
}
