import {
  COLLECTIONS,
  type EmulatorContext,
  type RoleAssignmentRecord,
  type RoleDefinitionRecord,
} from '../../core/index.ts'
import {
  type Authorizer,
  findRole,
  openRoleDefinitions,
  type RoleDefinition,
  type RolePermission,
  roleNameOf,
  scopeContains,
} from '../../rbac/index.ts'
import { parseAddress } from '../address.ts'
import { ArmError } from '../error.ts'
import { type ArmResource, type PutRequest, propertiesOf, type ResourceType } from '../providers/types.ts'
import { definitionFilter } from './filters.ts'

export interface RoleDefinitions extends ResourceType {
  /** Definitions that can be assigned at a scope, as the list answers with this `$filter`. */
  listFor(scope: string, filter: string | undefined): ArmResource[]
}

const WRITE = 'Microsoft.Authorization/roleDefinitions/write'

/** Microsoft.Authorization/roleDefinitions (2022-04-01): the built-in ones, and custom ones to make and to take. */
export function roleDefinitions(ctx: EmulatorContext, authorizer: Authorizer): RoleDefinitions {
  const definitions = openRoleDefinitions(ctx)
  const assignments = ctx.store.collection<RoleAssignmentRecord>(COLLECTIONS.roleAssignments)
  const show = (id: string, name: string) => {
    const custom = definitions.findCustom(name)
    if (custom !== undefined) return viewCustom(custom, id)
    const builtIn = findRole(name)
    return builtIn && viewBuiltIn(builtIn, id)
  }
  return {
    type: 'Microsoft.Authorization/roleDefinitions',
    get: (id) => show(parseAddress(id).scope, roleNameOf(id)),
    list: () => [],
    listFor(scope, filter) {
      const matches = definitionFilter(filter)
      return definitions
        .all()
        .filter((role) => matches(role, scope))
        .map((role) => show(scope, role.name))
        .filter((view) => view !== undefined)
    },
    async put(request) {
      const { name } = request
      if (findRole(name) !== undefined) {
        throw new ArmError(403, {
          code: 'CannotUpdateBuiltInRole',
          message: `The role definition '${name}' is built in and cannot be changed.`,
        })
      }
      const before = definitions.findCustom(name)
      const record = readDefinition(ctx, request, before)
      const twin = definitions
        .all()
        .find((other) => sameText(other.roleName, record.roleName) && other.name !== record.name)
      if (twin !== undefined) {
        throw new ArmError(409, {
          code: 'RoleDefinitionWithSameNameExists',
          message: `A custom role with the same name already exists in this directory. Use a different name.`,
        })
      }
      for (const scope of record.assignableScopes) requireRight(authorizer, request, scope)
      definitions.put(record)
      return { status: 201, body: viewCustom(record, parseAddress(request.id).scope) }
    },
    async delete(id) {
      const name = roleNameOf(id)
      const record = definitions.findCustom(name)
      if (record === undefined) {
        if (findRole(name) === undefined) return undefined
        throw new ArmError(403, {
          code: 'CannotDeleteBuiltInRole',
          message: `The role definition '${name}' is built in and cannot be deleted.`,
        })
      }
      if (assignments.values().some(({ roleDefinitionId }) => roleNameOf(roleDefinitionId) === name)) {
        throw new ArmError(400, {
          code: 'RoleDefinitionHasAssignments',
          message: `There are existing role assignments referencing role '${record.roleName}'. Delete them first.`,
        })
      }
      definitions.remove(name)
      return { status: 200, body: viewCustom(record, parseAddress(id).scope) }
    },
  }
}

/** Who makes a role assignable somewhere must be allowed to make roles there. */
function requireRight(authorizer: Authorizer, { caller, id }: PutRequest, scope: string): void {
  if (authorizer.check(caller.objectId, { action: WRITE }, scope).allowed) return
  throw new ArmError(403, {
    code: 'LinkedAuthorizationFailed',
    message: `The client '${caller.clientId}' with object id '${caller.objectId}' has permission to perform action '${WRITE}' on scope '${id}'; however, it does not have permission to perform action(s) '${WRITE}' on the linked scope(s) '${scope}' (respectively) or the linked scope(s) are invalid.`,
  })
}

function readDefinition(
  ctx: EmulatorContext,
  { name, body, caller }: PutRequest,
  before: RoleDefinitionRecord | undefined,
): RoleDefinitionRecord {
  if (!/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(name)) {
    throw new ArmError(400, {
      code: 'InvalidRoleDefinitionId',
      message: `The role definition ID '${name}' is not valid. The role definition ID must be a GUID.`,
    })
  }
  const { roleName, description, permissions, assignableScopes, type } = propertiesOf(body)
  if (typeof roleName !== 'string' || roleName.trim() === '') throw badFormat('roleName')
  if (type != null && !(typeof type === 'string' && sameText(type, 'CustomRole'))) throw badFormat('type')
  const scopes = texts(assignableScopes, 'assignableScopes')
  if (scopes.length === 0 || scopes.some((scope) => !/^\/subscriptions\/[^/]+/i.test(scope))) {
    throw badFormat('assignableScopes')
  }
  if (!Array.isArray(permissions) || permissions.length === 0) throw badFormat('permissions')
  const now = new Date(ctx.clock.now()).toISOString()
  return {
    name: name.toLowerCase(),
    roleName,
    description: typeof description === 'string' ? description : '',
    permissions: permissions.map(readPermission),
    assignableScopes: scopes,
    createdOn: before?.createdOn ?? now,
    createdBy: before?.createdBy ?? caller.objectId,
    updatedOn: now,
  }
}

function readPermission(value: unknown) {
  if (typeof value !== 'object' || value === null) throw badFormat('permissions')
  const { actions, notActions, dataActions, notDataActions, condition } = value as Readonly<Record<string, unknown>>
  if (condition != null) {
    throw new ArmError(501, {
      code: 'SkerryNotCovered',
      message: 'Skerry does not cover conditions of role definitions.',
    })
  }
  return {
    actions: texts(actions, 'actions'),
    notActions: texts(notActions, 'notActions'),
    dataActions: texts(dataActions, 'dataActions'),
    notDataActions: texts(notDataActions, 'notDataActions'),
  }
}

function texts(value: unknown, member: string): string[] {
  if (value == null) return []
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value
  throw badFormat(member)
}

const badFormat = (member: string): ArmError =>
  new ArmError(400, {
    code: 'BadRequestFormat',
    message: `The request was incorrectly formatted. The property '${member}' is missing or not valid.`,
  })

const sameText = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase()

const CREATED_WITH_AZURE = '0001-01-01T08:00:00.0000000Z'

function viewBuiltIn(role: RoleDefinition, scope: string): ArmResource {
  return view(role, scope, {
    type: 'BuiltInRole',
    assignableScopes: ['/'],
    createdOn: CREATED_WITH_AZURE,
    updatedOn: CREATED_WITH_AZURE,
    createdBy: null,
    updatedBy: null,
  })
}

function viewCustom(role: RoleDefinitionRecord, scope: string): ArmResource {
  const { assignableScopes, createdOn, updatedOn, createdBy } = role
  return view(role, scope, {
    type: 'CustomRole',
    assignableScopes,
    createdOn,
    updatedOn,
    createdBy,
    updatedBy: createdBy,
  })
}

function view(role: RoleDefinition, scope: string, more: object): ArmResource {
  const subscription = /^\/subscriptions\/[^/]+/i.exec(scope)?.[0] ?? ''
  return {
    properties: {
      roleName: role.roleName,
      description: role.description,
      ...more,
      permissions: role.permissions.map(viewPermission),
    },
    id: `${subscription}/providers/Microsoft.Authorization/roleDefinitions/${role.name}`,
    type: 'Microsoft.Authorization/roleDefinitions',
    name: role.name,
  }
}

/** The condition of a role is written in Azure's own language for them. */
export function viewPermission({ assignableRoles, ...permission }: RolePermission) {
  if (assignableRoles === undefined) return permission
  const limited = (verb: 'write' | 'delete', source: 'Request' | 'Resource') =>
    `((!(ActionMatches{'Microsoft.Authorization/roleAssignments/${verb}'})) OR (@${source}[Microsoft.Authorization/roleAssignments:RoleDefinitionId] ForAnyOfAnyValues:GuidEquals{${assignableRoles.join(', ')}}))`
  const condition = `${limited('write', 'Request')} AND ${limited('delete', 'Resource')}`
  return { ...permission, condition, conditionVersion: '2.0' }
}

/** Whether a role can be assigned at a scope. */
export function isAssignableAt(role: RoleDefinition | RoleDefinitionRecord, scope: string): boolean {
  return !('assignableScopes' in role) || role.assignableScopes.some((outer) => scopeContains(outer, scope))
}
