import type { Context, Hono } from 'hono'
import type { Permission } from '../../rbac/index.ts'
import { authorize } from '../access.ts'
import { parseAddress } from '../address.ts'
import { readJsonBody } from '../body.ts'
import { type ArmContext, type ArmVariables, findType } from '../context.ts'
import { ArmError, armErrors, notCovered } from '../error.ts'
import { type RoleDefinitions, viewPermission } from './role-definitions.ts'

/**
 * Microsoft.Authorization, an extension of any scope: the service's path function hands requests on as
 * `/authorization/…`, whatever stands before the provider.
 */
export function authorizationRoutes(app: Hono<ArmVariables>, arm: ArmContext, roleDefinitions: RoleDefinitions): void {
  const { roleAssignments } = arm
  const allow = (c: Context<ArmVariables>, action: string, more: Pick<Permission, 'assignedRole'> = {}) => {
    const { scope } = c.get('address')
    authorize(arm.ctx, arm.authorizer, c.get('caller'), `Microsoft.Authorization/${action}`, scope, more)
    return scope
  }
  const idOf = (c: Context<ArmVariables>, type: string) => {
    const { scope, names } = c.get('address')
    const name = names[0] ?? ''
    return { name, id: `${scope === '/' ? '' : scope}/providers/Microsoft.Authorization/${type}/${name}` }
  }
  const requestOf = (c: Context<ArmVariables>, type: string, body: Readonly<Record<string, unknown>>) => ({
    ...idOf(c, type),
    body,
    caller: c.get('caller'),
    apiVersion: c.get('apiVersion'),
  })
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
    return c.json({ value: roleAssignments.listFor(scope, c.req.query('$filter'), c.get('apiVersion')) })
  })
  app.get('/authorization/roleassignments/:name', (c) => {
    allow(c, 'roleAssignments/read')
    const { id, name } = idOf(c, 'roleAssignments')
    const found = roleAssignments.get(id, c.get('apiVersion'))
    if (found === undefined) throw assignmentNotFound(name)
    return c.json(found)
  })
  app.put('/authorization/roleassignments/:name', async (c) => {
    requireScope(allow(c, 'roleAssignments/write'))
    const { value } = await readJsonBody(c.req.raw)
    const { status, body } = await roleAssignments.put(requestOf(c, 'roleAssignments', value))
    return c.json(body, status)
  })
  app.delete('/authorization/roleassignments/:name', async (c) => {
    const { id } = idOf(c, 'roleAssignments')
    const assignedRole = roleAssignments.roleOf(id)
    allow(c, 'roleAssignments/delete', assignedRole === undefined ? {} : { assignedRole })
    const removed = roleAssignments.get(id, c.get('apiVersion'))
    await roleAssignments.delete(id)
    return removed === undefined ? c.body(null, 204) : c.json(removed, 200)
  })

  /** Everybody in the tenant may know the roles that are no subscription's own. */
  const readDefinitions = (c: Context<ArmVariables>) =>
    c.get('address').scope === '/' ? '/' : allow(c, 'roleDefinitions/read')
  app.get('/authorization/roledefinitions', (c) => {
    const scope = readDefinitions(c)
    return c.json({ value: roleDefinitions.listFor(scope, c.req.query('$filter')) })
  })
  app.get('/authorization/roledefinitions/:name', (c) => {
    readDefinitions(c)
    const { id, name } = idOf(c, 'roleDefinitions')
    const found = roleDefinitions.get(id)
    if (found === undefined) throw definitionNotFound(name)
    return c.json(found)
  })
  app.put('/authorization/roledefinitions/:name', async (c) => {
    allow(c, 'roleDefinitions/write')
    const { value } = await readJsonBody(c.req.raw)
    const { status, body } = await roleDefinitions.put(requestOf(c, 'roleDefinitions', value))
    return c.json(body, status)
  })
  app.delete('/authorization/roledefinitions/:name', async (c) => {
    allow(c, 'roleDefinitions/delete')
    const result = await roleDefinitions.delete(idOf(c, 'roleDefinitions').id)
    return result?.body === undefined ? c.body(null, 204) : c.json(result.body, 200)
  })

  /** What the caller may do at a scope; of everybody for himself. */
  app.get('/authorization/permissions', (c) => {
    const { scope } = c.get('address')
    requireScope(scope)
    const { objectId } = c.get('caller')
    return c.json({ value: arm.authorizer.permissionsAt(objectId, scope).map(viewPermission) })
  })

  app.all('/authorization/*', (c) => {
    throw notCovered(`Microsoft.Authorization/${c.get('address').types.join('/')}`)
  })
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
