import { COLLECTIONS, type EmulatorContext, type RoleAssignmentRecord } from '../../core/index.ts'
import { findByObjectId } from '../../entra/index.ts'
import { type Authorizer, openRoleDefinitions, type RoleDefinitions, roleNameOf } from '../../rbac/index.ts'
import { authorize } from '../access.ts'
import { parseAddress } from '../address.ts'
import { ArmError } from '../error.ts'
import { type ArmResource, type PutRequest, propertiesOf, type ResourceType } from '../providers/types.ts'
import { assignmentFilter } from './filters.ts'
import { isAssignableAt } from './role-definitions.ts'

const WRITE = 'Microsoft.Authorization/roleAssignments/write'
const GUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const PRINCIPAL_TYPES = ['User', 'Group', 'ServicePrincipal', 'ForeignGroup', 'Device']
/** From this api-version on an assignment tells its condition and its description. */
const TELLS_CONDITION = '2020-03-01-preview'

export interface RoleAssignments extends ResourceType {
  /** Assignments that concern a scope, as the list answers with this `$filter`. */
  listFor(scope: string, filter: string | undefined, apiVersion: string): ArmResource[]
  /** The GUID of the role that an assignment gives. */
  roleOf(id: string): string | undefined
}

/** Microsoft.Authorization/roleAssignments (2022-04-01), at any scope. */
export function roleAssignments(ctx: EmulatorContext, authorizer: Authorizer): RoleAssignments {
  const records = ctx.store.collection<RoleAssignmentRecord>(COLLECTIONS.roleAssignments)
  const definitions = openRoleDefinitions(ctx)
  return {
    type: 'Microsoft.Authorization/roleAssignments',
    get(id, apiVersion) {
      const record = records.get(id.toLowerCase())
      return record && view(record, apiVersion)
    },
    list: (scope) => records.values(`${scope.toLowerCase()}/`).map((record) => view(record)),
    listFor: (scope, filter, apiVersion) =>
      records
        .values()
        .filter(assignmentFilter(scope, filter))
        .map((record) => view(record, apiVersion)),
    roleOf(id) {
      const record = records.get(id.toLowerCase())
      return record && roleNameOf(record.roleDefinitionId)
    },
    async put(request) {
      const wanted = readAssignment(ctx, definitions, request)
      // Here, where templates come by too: a caller's own role may let it assign some roles only.
      const limit = { assignedRole: roleNameOf(wanted.roleDefinitionId) }
      authorize(ctx, authorizer, request.caller, WRITE, wanted.scope, limit)
      const before = records.get(request.id.toLowerCase())
      if (before !== undefined) {
        if (!sameGrant(before, wanted)) throw updateNotPermitted()
        const { description = before.description } = wanted
        const updated = { ...before, ...(description !== undefined && { description }) }
        records.put(updated.id.toLowerCase(), updated)
        return { status: 200, body: view(updated, request.apiVersion) }
      }
      const twin = records.values().find((record) => sameGrant(record, wanted))
      if (twin !== undefined) {
        throw new ArmError(409, {
          code: 'RoleAssignmentExists',
          message: `The role assignment already exists. The ID of the existing role assignment is ${twin.name.replaceAll('-', '')}.`,
        })
      }
      requirePrincipal(ctx, request, wanted)
      records.put(wanted.id.toLowerCase(), wanted)
      const body = view(wanted, request.apiVersion)
      // Only the answer that made it does not say by whom.
      return { status: 201, body: { ...body, properties: { ...(body.properties as object), createdBy: null } } }
    },
    async delete(id) {
      const record = records.get(id.toLowerCase())
      if (record === undefined) return undefined
      records.delete(id.toLowerCase())
      return { status: 200, body: view(record) }
    },
  }
}

function readAssignment(
  ctx: EmulatorContext,
  definitions: RoleDefinitions,
  { id, name, body, caller }: PutRequest,
): RoleAssignmentRecord {
  if (!GUID.test(name)) {
    throw new ArmError(400, {
      code: 'InvalidRoleAssignmentId',
      message: `The role assignment ID '${name}' is not valid. The role assignment ID must be a GUID.`,
    })
  }
  const { roleDefinitionId, principalId, principalType, condition, description } = propertiesOf(body)
  if (typeof roleDefinitionId !== 'string') throw badFormat('roleDefinitionId')
  if (typeof principalId !== 'string' || !GUID.test(principalId)) throw badFormat('principalId')
  if (principalType != null && !PRINCIPAL_TYPES.some((known) => known === principalType))
    throw badFormat('principalType')
  if (condition != null) {
    throw new ArmError(501, {
      code: 'SkerryNotCovered',
      message: 'Skerry does not cover conditions of role assignments.',
    })
  }
  const { scope, subscriptionId = ctx.seed.subscriptionId } = parseAddress(id)
  const definition = definitions.find(roleDefinitionId)
  if (definition === undefined || !isAssignableAt(definition, scope)) {
    const asked = roleDefinitionId.slice(roleDefinitionId.lastIndexOf('/') + 1)
    throw new ArmError(400, {
      code: 'RoleDefinitionDoesNotExist',
      message: `The specified role definition with ID '${asked}' does not exist.`,
    })
  }
  return {
    id,
    name,
    scope,
    roleDefinitionId: `/subscriptions/${subscriptionId}/providers/Microsoft.Authorization/roleDefinitions/${definition.name}`,
    principalId: principalId.toLowerCase(),
    principalType: typeof principalType === 'string' ? principalType : 'ServicePrincipal',
    ...(typeof description === 'string' && { description }),
    createdOn: new Date(ctx.clock.now()).toISOString(),
    createdBy: caller.objectId,
  }
}

/**
 * A principal must be in the directory, and be what the request says. As on Azure, who says what it is vouches for its
 * existence: that is how a principal that was made a moment ago is assigned a role.
 */
function requirePrincipal(ctx: EmulatorContext, { body }: PutRequest, { principalId }: RoleAssignmentRecord): void {
  const { principalType } = propertiesOf(body)
  const known = findByObjectId(ctx, principalId)
  if (known !== undefined) {
    const type = known.kind === 'application' || known.kind === 'managedIdentity' ? 'ServicePrincipal' : undefined
    if (type === undefined || principalType == null || principalType === type) return
    throw new ArmError(400, {
      code: 'UnmatchedPrincipalType',
      message: `The PrincipalId '${principalId.replaceAll('-', '')}' has type '${type}' , which is different from specified PrinciaplType '${String(principalType)}'.`,
    })
  }
  if (principalType != null || principalId === ctx.seed.admin.objectId.toLowerCase()) return
  throw new ArmError(400, {
    code: 'PrincipalNotFound',
    message: `Principal ${principalId.replaceAll('-', '')} does not exist in the directory ${ctx.seed.tenantId}. Check that you have the correct principal ID. If you are creating this principal and then immediately assigning a role, this error might be related to a replication delay. In this case, set the role assignment principalType property to a value, such as ServicePrincipal, User, or Group.  See https://aka.ms/docs-principaltype`,
  })
}

const badFormat = (member: string): ArmError =>
  new ArmError(400, {
    code: 'BadRequestFormat',
    message: `The request was incorrectly formatted. The property '${member}' is missing or not valid.`,
  })

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
    roleNameOf(a.roleDefinitionId) === roleNameOf(b.roleDefinitionId)
  )
}

function view(record: RoleAssignmentRecord, apiVersion = '2022-04-01'): ArmResource {
  const { id, name, scope, roleDefinitionId, principalId, principalType, createdOn, createdBy } = record
  const tells = apiVersion >= TELLS_CONDITION
  return {
    properties: {
      roleDefinitionId,
      principalId,
      principalType: principalType ?? 'ServicePrincipal',
      scope,
      ...(tells && { condition: null, conditionVersion: null }),
      createdOn,
      updatedOn: createdOn,
      createdBy,
      updatedBy: createdBy,
      ...(tells && { delegatedManagedIdentityResourceId: null, description: record.description ?? null }),
    },
    id,
    type: 'Microsoft.Authorization/roleAssignments',
    name,
  }
}
