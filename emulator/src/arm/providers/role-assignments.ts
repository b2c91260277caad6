import {
  COLLECTIONS,
  type EmulatorContext,
  type RoleAssignmentRecord,
  type ServicePrincipalRecord,
} from '../../core/index.ts'
import { findRole, scopeContains } from '../../rbac/index.ts'
import { parseAddress } from '../address.ts'
import { ArmError } from '../error.ts'
import { type ArmResource, type PutRequest, propertiesOf, type ResourceType } from './types.ts'

const GUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

export interface RoleAssignments extends ResourceType {
  /** Assignments that concern a scope, as the list answers with this `$filter`. */
  listFor(scope: string, filter: string | undefined): ArmResource[]
}

/** Microsoft.Authorization/roleAssignments (2022-04-01), at any scope. */
export function roleAssignments(ctx: EmulatorContext): RoleAssignments {
  const records = ctx.store.collection<RoleAssignmentRecord>(COLLECTIONS.roleAssignments)
  return {
    type: 'Microsoft.Authorization/roleAssignments',
    get(id) {
      const record = records.get(id.toLowerCase())
      return record && view(record)
    },
    list: (scope) => records.values(`${scope.toLowerCase()}/`).map(view),
    listFor: (scope, filter) => records.values().filter(filterFor(scope, filter)).map(view),
    async put(request) {
      const wanted = readAssignment(ctx, request)
      const before = records.get(request.id.toLowerCase())
      if (before !== undefined) {
        if (!sameGrant(before, wanted)) throw updateNotPermitted()
        return { status: 200, body: view(before) }
      }
      const twin = records.values().find((record) => sameGrant(record, wanted))
      if (twin !== undefined) {
        throw new ArmError(409, {
          code: 'RoleAssignmentExists',
          message: `The role assignment already exists. The ID of the existing role assignment is ${twin.name.replaceAll('-', '')}.`,
        })
      }
      requirePrincipal(ctx, wanted)
      records.put(wanted.id.toLowerCase(), wanted)
      return { status: 201, body: view(wanted) }
    },
    async delete(id) {
      const record = records.get(id.toLowerCase())
      if (record === undefined) return undefined
      records.delete(id.toLowerCase())
      return { status: 200, body: view(record) }
    },
  }
}

function readAssignment(ctx: EmulatorContext, { id, name, body, caller }: PutRequest): RoleAssignmentRecord {
  if (!GUID.test(name)) {
    throw new ArmError(400, {
      code: 'InvalidRoleAssignmentId',
      message: `The role assignment ID '${name}' is not valid. The role assignment ID must be a GUID.`,
    })
  }
  const { roleDefinitionId, principalId, principalType, condition } = propertiesOf(body)
  if (typeof roleDefinitionId !== 'string' || typeof principalId !== 'string' || !GUID.test(principalId)) {
    const member = typeof roleDefinitionId === 'string' ? 'principalId' : 'roleDefinitionId'
    throw new ArmError(400, {
      code: 'BadRequestFormat',
      message: `The request was incorrectly formatted. The property '${member}' is missing or not valid.`,
    })
  }
  if (condition != null) {
    throw new ArmError(501, {
      code: 'SkerryNotCovered',
      message: 'Skerry does not cover conditions of role assignments.',
    })
  }
  const definition = findRole(roleDefinitionId)
  if (definition === undefined) {
    const asked = roleDefinitionId.slice(roleDefinitionId.lastIndexOf('/') + 1)
    throw new ArmError(400, {
      code: 'RoleDefinitionDoesNotExist',
      message: `The specified role definition with ID '${asked}' does not exist.`,
    })
  }
  const { scope, subscriptionId = ctx.seed.subscriptionId } = parseAddress(id)
  return {
    id,
    name,
    scope,
    roleDefinitionId: `/subscriptions/${subscriptionId}/providers/Microsoft.Authorization/roleDefinitions/${definition.name}`,
    principalId: principalId.toLowerCase(),
    principalType: typeof principalType === 'string' ? principalType : 'ServicePrincipal',
    createdOn: new Date(ctx.clock.now()).toISOString(),
    createdBy: caller.objectId,
  }
}

function requirePrincipal(ctx: EmulatorContext, { principalId }: RoleAssignmentRecord): void {
  const principals = ctx.store.collection<ServicePrincipalRecord>(COLLECTIONS.servicePrincipals)
  if (principals.has(principalId) || principalId === ctx.seed.admin.objectId.toLowerCase()) return
  throw new ArmError(400, {
    code: 'PrincipalNotFound',
    message: `Principal ${principalId.replaceAll('-', '')} does not exist in the directory ${ctx.seed.tenantId}. Check that you have the correct principal ID. If you are creating this principal and then immediately assigning a role, this error might be related to a replication delay. In this case, set the role assignment principalType property to a value, such as ServicePrincipal, User, or Group.  See https://aka.ms/docs-principaltype`,
  })
}

function updateNotPermitted(): ArmError {
  return new ArmError(409, {
    code: 'RoleAssignmentUpdateNotPermitted',
    message: 'Tenant ID, application ID, principal ID, and scope are not allowed to be updated.',
  })
}

function sameGrant(a: RoleAssignmentRecord, b: RoleAssignmentRecord): boolean {
  return (
    a.scope.toLowerCase() === b.scope.toLowerCase() &&
    a.principalId.toLowerCase() === b.principalId.toLowerCase() &&
    findRole(a.roleDefinitionId)?.name === findRole(b.roleDefinitionId)?.name
  )
}

/** `atScope()`: at the scope or above; `principalId eq '…'` and `assignedTo('…')`: of that principal; else all around. */
function filterFor(scope: string, filter: string | undefined): (record: RoleAssignmentRecord) => boolean {
  const above = (record: RoleAssignmentRecord) => scopeContains(record.scope, scope)
  const around = (record: RoleAssignmentRecord) => above(record) || scopeContains(scope, record.scope)
  if (filter === undefined || filter.trim() === '') return around
  const principal = /^(?:atScope\(\)\s+and\s+)?(?:principalId\s+eq\s+'([^']+)'|assignedTo\('([^']+)'\))$/i.exec(
    filter.trim(),
  )
  const limit = /atScope\(\)/i.test(filter) ? above : around
  if (principal !== null) {
    const wanted = (principal[1] ?? principal[2] ?? '').toLowerCase()
    return (record) => limit(record) && record.principalId.toLowerCase() === wanted
  }
  if (/^atScope\(\)$/i.test(filter.trim())) return above
  throw new ArmError(400, { code: 'BadRequest', message: `The filter '${filter}' is not supported.` })
}

function view(record: RoleAssignmentRecord): ArmResource {
  const { id, name, scope, roleDefinitionId, principalId, principalType, createdOn, createdBy } = record
  return {
    properties: {
      roleDefinitionId,
      principalId,
      principalType: principalType ?? 'ServicePrincipal',
      scope,
      condition: null,
      conditionVersion: null,
      createdOn,
      updatedOn: createdOn,
      createdBy,
      updatedBy: createdBy,
      delegatedManagedIdentityResourceId: null,
      description: null,
    },
    id,
    type: 'Microsoft.Authorization/roleAssignments',
    name,
  }
}
