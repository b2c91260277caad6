import type { RoleAssignmentRecord, RoleDefinitionRecord } from '../../core/index.ts'
import { type RoleDefinition, scopeContains } from '../../rbac/index.ts'
import { ArmError } from '../error.ts'

/** `$filter` of the lists of Microsoft.Authorization. */

const unsupported = (filter: string) =>
  new ArmError(400, { code: 'BadRequest', message: `The filter '${filter}' is not supported.` })

const clausesOf = (filter: string | undefined): string[] =>
  (filter ?? '')
    .trim()
    .split(/\s+and\s+/i)
    .filter((clause) => clause !== '')

/**
 * Role definitions: `roleName eq '…'`, `type eq 'BuiltInRole'` or `'CustomRole'`. Custom ones are those that can be
 * assigned at the scope; with `atScopeAndBelow()` also those for scopes below it.
 */
export function definitionFilter(
  filter: string | undefined,
): (role: RoleDefinition | RoleDefinitionRecord, scope: string) => boolean {
  const clauses = clausesOf(filter)
  const below = clauses.some((clause) => /^atScopeAndBelow\(\)$/i.test(clause))
  const tests = clauses
    .filter((clause) => !/^atScope(AndBelow)?\(\)$/i.test(clause))
    .map((clause) => {
      const match = /^(roleName|type)\s+eq\s+'([^']*)'$/i.exec(clause)
      if (match === null) throw unsupported(filter ?? '')
      const wanted = match[2]!.toLowerCase()
      if (match[1]!.toLowerCase() === 'type') {
        return (role: object) => wanted === ('assignableScopes' in role ? 'customrole' : 'builtinrole')
      }
      return (role: RoleDefinition) => role.roleName.toLowerCase() === wanted
    })
  return (role, scope) => {
    const reaches =
      !('assignableScopes' in role) ||
      role.assignableScopes.some((outer) => scopeContains(outer, scope) || (below && scopeContains(scope, outer)))
    return reaches && tests.every((test) => test(role))
  }
}

/**
 * Role assignments: at the scope, above and below it. `atScope()`: not below. `principalId eq '…'` and
 * `assignedTo('…')`: of that principal (there are no groups).
 */
export function assignmentFilter(scope: string, filter: string | undefined): (record: RoleAssignmentRecord) => boolean {
  const clauses = clausesOf(filter)
  const atScope = clauses.some((clause) => /^atScope\(\)$/i.test(clause))
  const principals = clauses
    .filter((clause) => !/^atScope\(\)$/i.test(clause))
    .map((clause) => {
      const match = /^(?:principalId\s+eq\s+(?:'([^']+)'|([0-9a-f-]{36}))|assignedTo\('([^']+)'\))$/i.exec(clause)
      if (match === null) throw unsupported(filter ?? '')
      return (match[1] ?? match[2] ?? match[3] ?? '').toLowerCase()
    })
  return (record) => {
    const above = scopeContains(record.scope, scope)
    const reaches = atScope ? above : above || scopeContains(scope, record.scope)
    return reaches && principals.every((principal) => record.principalId.toLowerCase() === principal)
  }
}
