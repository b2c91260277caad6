import type { Context, Hono } from 'hono'
import { authorize } from '../access.ts'
import { groupId } from '../address.ts'
import { readJsonBody } from '../body.ts'
import type { ArmContext, ArmVariables } from '../context.ts'
import { armErrors } from '../error.ts'
import type { FederatedCredentialType } from '../providers/federated-credentials.ts'

const IDENTITY = 'Microsoft.ManagedIdentity/userAssignedIdentities'
const PATH =
  '/subscriptions/:subscription/resourcegroups/:group/providers/microsoft.managedidentity/userassignedidentities/:identity/federatedidentitycredentials'

/** The federated identity credentials of user-assigned identities, api-version 2022-01-31-preview on. */
export function federatedCredentialRoutes(
  app: Hono<ArmVariables>,
  arm: ArmContext,
  credentials: FederatedCredentialType,
): void {
  /** Ids that the path names, for a caller who may do `verb` there. */
  const target = (c: Context<ArmVariables>, verb: string) => {
    const { subscriptionId = '', resourceGroup = '', names } = c.get('address')
    const [identity = '', name = ''] = names
    const idIn = (group: string) => {
      const parent = `${group}/providers/${IDENTITY}/${identity}`
      return { parent, id: name === '' ? parent : `${parent}/federatedIdentityCredentials/${name}` }
    }
    const scope = idIn(groupId(subscriptionId, resourceGroup)).id
    authorize(arm.ctx, arm.authorizer, c.get('caller'), `${credentials.type}/${verb}`, scope)
    const group = arm.groups.require(subscriptionId, resourceGroup)
    return { ...idIn(group.id), name, group: group.name, title: `${credentials.type}/${identity}/${name}` }
  }

  app.get(PATH, (c) => c.json({ value: credentials.listOf(target(c, 'read').parent) }))
  app.get(`${PATH}/:name`, (c) => {
    const { id, title, group } = target(c, 'read')
    const found = credentials.get(id)
    if (found === undefined) throw armErrors.resourceNotFound(title, group)
    return c.json(found)
  })
  app.put(`${PATH}/:name`, async (c) => {
    const { id, name } = target(c, 'write')
    const { value } = await readJsonBody(c.req.raw)
    const caller = c.get('caller')
    const { status, body } = await credentials.put({ id, name, body: value, caller, apiVersion: c.get('apiVersion') })
    return c.json(body, status)
  })
  app.delete(`${PATH}/:name`, async (c) => {
    const deleted = await credentials.delete(target(c, 'delete').id)
    return c.body(null, deleted === undefined ? 204 : 200)
  })
}
