import { type Call, ok, type Reply } from '../call.ts'
import { badParameter, KeyVaultError } from '../errors.ts'
import { MANAGED_HSM_PREFIX } from '../permissions.ts'
import { readRoleAssignment } from '../routes/bodies.ts'
import type { LocalAssignment } from './assignments.ts'
import { findLocalRole, LOCAL_ROLES, type LocalRole, localRoleId } from './roles.ts'

/** The local RBAC of a managed HSM, on its own data plane (Azure REST API, Key Vault 7.4, "role assignments"). */

export async function putRoleAssignment(call: Call): Promise<Reply> {
  const { roleDefinitionId, principalId } = readRoleAssignment(await call.body())
  const role = findLocalRole(roleDefinitionId)
  if (role === undefined) throw badParameter(`Role definition ${roleDefinitionId} was not found`)
  const { host } = call.vault
  const { scope = '/', role: name = '' } = call.target
  const assignment = call.parts.localRbac.put({
    host,
    name: name.toLowerCase(),
    scope,
    role: role.guid,
    principalId,
  })
  call.parts.ctx.journal.write({
    service: call.personality.service,
    operation: 'putRoleAssignment',
    outcome: 'done',
    subject: assignmentId(assignment),
    summary: `${principalId} has the role ${role.roleName} at ${scope} of ${host}.`,
    answer: { status: 201, requestId: call.requestId },
  })
  return { status: 201, body: showAssignment(assignment) }
}

export function getRoleAssignment(call: Call): Reply {
  const { scope = '/', role = '' } = call.target
  return ok(showAssignment(call.parts.localRbac.get(call.vault.host, scope, role)))
}

export function deleteRoleAssignment(call: Call): Reply {
  const { scope = '/', role = '' } = call.target
  const removed = call.parts.localRbac.remove(call.vault.host, scope, role)
  call.parts.ctx.journal.write({
    service: call.personality.service,
    operation: 'deleteRoleAssignment',
    outcome: 'done',
    subject: assignmentId(removed),
    summary: `${removed.principalId} lost the role ${findLocalRole(removed.role)?.roleName} at ${removed.scope}.`,
    answer: { status: 200, requestId: call.requestId },
  })
  return ok(showAssignment(removed))
}

export function listRoleAssignments(call: Call): Reply {
  const all = call.parts.localRbac.list(call.vault.host, call.target.scope ?? '/')
  const principalId = /principalId\s+eq\s+'([^']*)'/i.exec(call.query.get('$filter') ?? '')?.[1]?.toLowerCase()
  const wanted = all.filter((each) => principalId === undefined || each.principalId.toLowerCase() === principalId)
  return ok({ value: wanted.map(showAssignment), nextLink: null })
}

export function getRoleDefinition(call: Call): Reply {
  const role = findLocalRole(call.target.role ?? '')
  if (role !== undefined) return ok(showRole(role))
  throw new KeyVaultError(404, 'RoleDefinitionNotFound', `Role definition ${call.target.role} was not found`)
}

export function listRoleDefinitions(call: Call): Reply {
  const roleName = /roleName\s+eq\s+'([^']*)'/i.exec(call.query.get('$filter') ?? '')?.[1]
  const wanted = LOCAL_ROLES.filter((role) => roleName === undefined || role.roleName === roleName)
  return ok({ value: wanted.map(showRole), nextLink: null })
}

const assignmentId = ({ scope, name }: LocalAssignment): string =>
  `${scope === '/' ? '' : scope}/providers/Microsoft.Authorization/roleAssignments/${name}`

function showAssignment(assignment: LocalAssignment) {
  const role = findLocalRole(assignment.role)
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
  return {
    id: localRoleId(role),
    name: role.guid,
    type: 'Microsoft.Authorization/roleDefinitions',
    properties: {
      roleName: role.roleName,
      description: '',
      type: 'AKVBuiltInRole',
      permissions: [
        {
          actions: [],
          notActions: [],
          dataActions: role.dataActions.map((action) => `${MANAGED_HSM_PREFIX}${action}`),
          notDataActions: [],
        },
      ],
      assignableScopes: ['/'],
    },
  }
}
