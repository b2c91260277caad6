import type { Context, Hono } from 'hono'
import { BUILT_IN_ROLES, findRole, type RoleDefinition } from '../../rbac/index.ts'
import { authorize } from '../access.ts'
import { parseAddress } from '../address.ts'
import { readJsonBody } from '../body.ts'
import { type ArmContext, type ArmVariables, findType } from '../context.ts'
import { ArmError, armErrors, notCovered } from '../error.ts'

/**
 * Microsoft.Authorization, an extension of any scope: the service's path function hands requests on as
 * `/authorization/…`, whatever stands before the provider.
 */
export function authorizationRoutes(app: Hono<ArmVariables>, arm: ArmContext): void {
  const { roleAssignments } = arm
  const allow = (c: Context<ArmVariables>, action: string) => {
    const { scope } = c.get('address')
    authorize(arm.ctx, arm.authorizer, c.get('caller'), `Microsoft.Authorization/${action}`, scope)
    return scope
  }
  const idOf = (c: Context<ArmVariables>) => {
    const { scope, names } = c.get('address')
    const name = names[0] ?? ''
    return { name, id: `${scope === '/' ? '' : scope}/providers/Microsoft.Authorization/roleAssignments/${name}` }
  }
  const requireScope = (scope: string) => {
    const { subscriptionId, resourceGroup, namespace, types, names } = parseAddress(scope)
    if (subscriptionId === undefined || resourceGroup === undefined) return
    arm.groups.require(subscriptionId, resourceGroup)
    if (namespace === undefined) return
    const type = findType(arm, `${namespace}/${types[0]}`)
    const resource = scope.split('/').slice(0, 9).join('/')
    if (type !== undefined && type.get(resource) === undefined) {
      throw armErrors.resourceNotFound(`${type.type}/${names[0]}`, resourceGroup)
    }
  }

  app.get('/authorization/roleassignments', (c) => {
    const scope = allow(c, 'roleAssignments/read')
    return c.json({ value: roleAssignments.listFor(scope, c.req.query('$filter')) })
  })
  app.get('/authorization/roleassignments/:name', (c) => {
    allow(c, 'roleAssignments/read')
    const { id, name } = idOf(c)
    const found = roleAssignments.get(id)
    if (found === undefined) throw assignmentNotFound(name)
    return c.json(found)
  })
  app.put('/authorization/roleassignments/:name', async (c) => {
    requireScope(allow(c, 'roleAssignments/write'))
    const { value } = await readJsonBody(c.req.raw)
    const request = { ...idOf(c), body: value, caller: c.get('caller'), apiVersion: c.get('apiVersion') }
    const { status, body } = await roleAssignments.put(request)
    return c.json(body, status)
  })
  app.delete('/authorization/roleassignments/:name', async (c) => {
    allow(c, 'roleAssignments/delete')
    const result = await roleAssignments.delete(idOf(c).id)
    return result?.body === undefined ? c.body(null, 204) : c.json(result.body, 200)
  })

  app.get('/authorization/roledefinitions', (c) => {
    const scope = allow(c, 'roleDefinitions/read')
    const matches = definitionFilter(c.req.query('$filter'))
    return c.json({ value: BUILT_IN_ROLES.filter(matches).map((role) => viewDefinition(role, scope)) })
  })
  app.get('/authorization/roledefinitions/:name', (c) => {
    const scope = allow(c, 'roleDefinitions/read')
    const role = findRole(c.req.param('name'))
    if (role === undefined) throw definitionNotFound(c.get('address').names[0] ?? '')
    return c.json(viewDefinition(role, scope))
  })
  app.on(['PUT', 'DELETE'], '/authorization/roledefinitions/:name', () => {
    throw notCovered('custom role definitions')
  })
  app.all('/authorization/*', (c) => {
    throw notCovered(`Microsoft.Authorization/${c.get('address').types.join('/')}`)
  })
}

function definitionFilter(filter: string | undefined): (role: RoleDefinition) => boolean {
  if (filter === undefined || filter.trim() === '') return () => true
  const clauses = filter.trim().split(/\s+and\s+/i)
  const tests = clauses.map((clause) => {
    const match = /^(roleName|type)\s+eq\s+'([^']*)'$/i.exec(clause)
    if (/^atScopeAndBelow\(\)$/i.test(clause)) return () => true
    if (match === null)
      throw new ArmError(400, { code: 'BadRequest', message: `The filter '${filter}' is not supported.` })
    const wanted = match[2]!.toLowerCase()
    if (match[1]!.toLowerCase() === 'type') return () => wanted === 'builtinrole'
    return (role: RoleDefinition) => role.roleName.toLowerCase() === wanted
  })
  return (role) => tests.every((test) => test(role))
}

function viewDefinition(role: RoleDefinition, scope: string) {
  const subscription = /^\/subscriptions\/[^/]+/i.exec(scope)?.[0] ?? ''
  return {
    properties: {
      roleName: role.roleName,
      type: 'BuiltInRole',
      description: role.description,
      assignableScopes: ['/'],
      permissions: role.permissions,
      createdOn: '0001-01-01T08:00:00.0000000Z',
      updatedOn: '0001-01-01T08:00:00.0000000Z',
      createdBy: null,
      updatedBy: null,
    },
    id: `${subscription}/providers/Microsoft.Authorization/roleDefinitions/${role.name}`,
    type: 'Microsoft.Authorization/roleDefinitions',
    name: role.name,
  }
}

function definitionNotFound(name: string): ArmError {
  return new ArmError(404, {
    code: 'RoleDefinitionDoesNotExist',
    message: `The specified role definition with ID '${name}' does not exist.`,
  })
}

function assignmentNotFound(name: string): ArmError {
  return new ArmError(404, {
    code: 'RoleAssignmentNotFound',
    message: `The role assignment '${name}' is not found.`,
  })
}
