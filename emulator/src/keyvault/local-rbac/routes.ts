import { type Call, ok, type Reply } from '../call.ts'
import { badParameter, KeyVaultError } from '../errors.ts'
import { MANAGED_HSM_PREFIX } from '../permissions.ts'
import type { LocalAssignment } from './assignments.ts'
import { readRoleAssignment, readRoleDefinition } from './bodies.ts'
import { definitionNotFound } from './definitions.ts'
import { type LocalRole, localRoleId, localScopeContains } from './roles.ts'

/** The local RBAC of a managed HSM, on its own data plane (Azure REST API, Key Vault 7.4, "role assignments"). */

const definitionsOf = (call: Call) => call.parts.localRbac.definitions(call.vault.host)

export async function putRoleAssignment(call: Call): Promise<Reply> {
  const { roleDefinitionId, principalId } = readRoleAssignment(await call.body())
  const role = definitionsOf(call).find(roleDefinitionId)
  if (role === undefined) throw badParameter(`Role definition ${roleDefinitionId} was not found`)
  const { host } = call.vault
  const { scope = '/', role: name = '' } = call.target
  const within = role.custom?.assignableScopes ?? ['/']
  if (!within.some((outer) => localScopeContains(outer, scope))) {
    throw badParameter(`Role definition ${roleDefinitionId} is not assignable at scope ${scope}`)
  }
  const assignment = call.parts.localRbac.put({
    host,
    name: name.toLowerCase(),
    scope,
    role: role.guid,
    principalId,
  })
  const summary = `${principalId} has the role ${role.roleName} at ${scope} of ${host}.`
  note(call, 'putRoleAssignment', assignmentId(assignment), summary, 201)
  return { status: 201, body: showAssignment(call, assignment) }
}

export function getRoleAssignment(call: Call): Reply {
  const { scope = '/', role = '' } = call.target
  return ok(showAssignment(call, call.parts.localRbac.get(call.vault.host, scope, role)))
}

export function deleteRoleAssignment(call: Call): Reply {
  const { scope = '/', role = '' } = call.target
  const removed = call.parts.localRbac.remove(call.vault.host, scope, role)
  const roleName = definitionsOf(call).find(removed.role)?.roleName ?? removed.role
  const summary = `${removed.principalId} lost the role ${roleName} at ${removed.scope}.`
  note(call, 'deleteRoleAssignment', assignmentId(removed), summary, 200)
  return ok(showAssignment(call, removed))
}

/** `atScope()`: at the scope or above; otherwise at, above and below; `principalId eq …`: of that principal. */
export function listRoleAssignments(call: Call): Reply {
  const { scope = '/' } = call.target
  const filter = readFilter(call.query.get('$filter'), 'principalId')
  const wanted = call.parts.localRbac.all(call.vault.host).filter((assignment) => {
    const above = localScopeContains(assignment.scope, scope)
    const around = above || localScopeContains(scope, assignment.scope)
    return (
      (filter.atScope ? above : around) &&
      (filter.value ?? assignment.principalId.toLowerCase()) === assignment.principalId.toLowerCase()
    )
  })
  return ok({ value: wanted.map((assignment) => showAssignment(call, assignment)), nextLink: null })
}

export function getRoleDefinition(call: Call): Reply {
  const { role: name = '' } = call.target
  const role = definitionsOf(call).find(name)
  if (role === undefined) throw definitionNotFound(name)
  return ok(showRole(role))
}

export function listRoleDefinitions(call: Call): Reply {
  const { value: roleName } = readFilter(call.query.get('$filter'), 'roleName')
  const wanted = definitionsOf(call)
    .all()
    .filter((role) => roleName === undefined || role.roleName.toLowerCase() === roleName)
  return ok({ value: wanted.map(showRole), nextLink: null })
}

export async function putRoleDefinition(call: Call): Promise<Reply> {
  const { scope, role: name = '' } = call.target
  requireRoot(scope)
  const role = definitionsOf(call).put(name, readRoleDefinition(await call.body()))
  note(call, 'putRoleDefinition', localRoleId(role), `${call.vault.host} has the custom role ${role.roleName}.`, 201)
  return { status: 201, body: showRole(role) }
}

export function deleteRoleDefinition(call: Call): Reply {
  const { scope, role: name = '' } = call.target
  requireRoot(scope)
  const { localRbac } = call.parts
  const { host } = call.vault
  const assigned = localRbac.all(host).find((assignment) => assignment.role === name.toLowerCase())
  if (assigned !== undefined && definitionsOf(call).find(name)?.custom !== undefined) {
    throw new KeyVaultError(409, 'Conflict', `Role definition ${name} has role assignments and cannot be deleted`)
  }
  const removed = definitionsOf(call).remove(name)
  note(call, 'deleteRoleDefinition', localRoleId(removed), `${host} lost the custom role ${removed.roleName}.`, 200)
  return ok(showRole(removed))
}

/** "Managed HSM only supports '/'" for the definitions themselves. */
function requireRoot(scope = '/'): void {
  if (scope !== '/') throw badParameter(`Invalid scope: ${scope}`)
}

function readFilter(filter: string | null, member: 'principalId' | 'roleName'): { atScope: boolean; value?: string } {
  const clauses = (filter ?? '').split(/\s+and\s+/i).filter((clause) => clause.trim() !== '')
  let atScope = false
  let value: string | undefined
  for (const clause of clauses) {
    const match = new RegExp(`^${member}\\s+eq\\s+(?:'([^']*)'|([^'\\s]+))$`, 'i').exec(clause.trim())
    if (match !== null) value = (match[1] ?? match[2] ?? '').toLowerCase()
    else if (/^atScope\(\)$/i.test(clause.trim())) atScope = true
    else if (!/^atScopeAndBelow\(\)$/i.test(clause.trim())) throw badParameter(`Invalid filter: ${filter}`)
  }
  return { atScope, ...(value !== undefined && { value }) }
}

function note(call: Call, operation: string, subject: string, summary: string, status: number): void {
  const { journal } = call.parts.ctx
  const answer = { status, requestId: call.requestId }
  journal.write({ service: call.personality.service, operation, outcome: 'done', subject, summary, answer })
}

const assignmentId = ({ scope, name }: LocalAssignment): string =>
  `${scope === '/' ? '' : scope}/providers/Microsoft.Authorization/roleAssignments/${name}`

function showAssignment(call: Call, assignment: LocalAssignment) {
  const role = definitionsOf(call).find(assignment.role)
  return {
    id: assignmentId(assignment),
    name: assignment.name,
    type: 'Microsoft.Authorization/roleAssignments',
    properties: {
      scope: assignment.scope,
      roleDefinitionId: role === undefined ? assignment.role : localRoleId(role),
      principalId: assignment.principalId,
    },
  }
}

function showRole(role: LocalRole) {
  const inFull = (actions: readonly string[]) => actions.map((action) => `${MANAGED_HSM_PREFIX}${action}`)
  return {
    id: localRoleId(role),
    name: role.guid,
    type: 'Microsoft.Authorization/roleDefinitions',
    properties: {
      roleName: role.roleName,
      description: role.custom?.description ?? '',
      type: role.custom === undefined ? 'AKVBuiltInRole' : 'CustomRole',
      permissions: [
        {
          actions: [],
          notActions: [],
          dataActions: inFull(role.dataActions),
          notDataActions: inFull(role.notDataActions ?? []),
        },
      ],
      assignableScopes: role.custom?.assignableScopes ?? ['/'],
    },
  }
}
