import type { Context, Hono } from 'hono'
import type { OperationResult } from '../../aci/index.ts'
import { authorize } from '../access.ts'
import { groupId } from '../address.ts'
import { readJsonBody } from '../body.ts'
import type { ArmContext, ArmVariables } from '../context.ts'
import { ArmError } from '../error.ts'
import { type ResourceGroupRecord, viewGroup } from '../groups.ts'
import { normalLocation, tagsOf } from '../providers/types.ts'

const GROUPS = '/subscriptions/:subscription/resourcegroups'
const ACTION = 'Microsoft.Resources/subscriptions/resourceGroups'

/** Resource groups: create, read, tag, and delete with everything in them. */
export function groupRoutes(app: Hono<ArmVariables>, arm: ArmContext): void {
  const place = (c: Context<ArmVariables>, verb: string) => {
    const { subscriptionId = '', resourceGroup = '' } = c.get('address')
    authorize(arm.ctx, arm.authorizer, c.get('caller'), `${ACTION}/${verb}`, groupId(subscriptionId, resourceGroup))
    return { subscriptionId, name: resourceGroup }
  }
  const existing = (c: Context<ArmVariables>, verb: string): ResourceGroupRecord => {
    const { subscriptionId, name } = place(c, verb)
    const record = arm.groups.get(subscriptionId, name)
    return record ?? arm.groups.require(subscriptionId, name)
  }

  app.get(GROUPS, (c) => {
    const { subscriptionId = '' } = c.get('address')
    authorize(arm.ctx, arm.authorizer, c.get('caller'), `${ACTION}/read`, `/subscriptions/${subscriptionId}`)
    return c.json({ value: arm.groups.list(subscriptionId).map(viewGroup) })
  })

  app.get(`${GROUPS}/:group`, (c) => {
    const record = existing(c, 'read')
    return c.req.raw.method === 'HEAD' ? c.body(null, 204) : c.json(viewGroup(record))
  })

  app.put(`${GROUPS}/:group`, async (c) => {
    const { subscriptionId, name } = place(c, 'write')
    const { value } = await readJsonBody(c.req.raw)
    if (!/^[\p{L}\p{N}_().-]{0,89}[\p{L}\p{N}_()-]$/u.test(name)) {
      throw new ArmError(400, {
        code: 'InvalidResourceGroupName',
        message: `The provided resource group name '${name}' has these invalid characters or length: 1 to 90 letters, digits, '(', ')', '-', '_' and '.', not ending with '.'.`,
      })
    }
    if (typeof value.location !== 'string' || value.location === '') {
      throw new ArmError(400, {
        code: 'LocationRequired',
        message: 'The location property is required for this definition.',
      })
    }
    const tags = tagsOf(value)
    const location = normalLocation(value.location, '')
    if (arm.groups.get(subscriptionId, name)?.deleting) arm.groups.require(subscriptionId, name)
    const { record, created } = arm.groups.put(subscriptionId, name, { location, ...(tags !== undefined && { tags }) })
    return c.json(viewGroup(record), created ? 201 : 200)
  })

  app.patch(`${GROUPS}/:group`, async (c) => {
    const record = existing(c, 'write')
    const { value } = await readJsonBody(c.req.raw)
    const tags = tagsOf(value) ?? record.tags
    const { subscriptionId = '' } = c.get('address')
    const change = { location: record.location, ...(tags !== undefined && { tags }) }
    return c.json(viewGroup(arm.groups.put(subscriptionId, record.name, change).record))
  })

  app.delete(`${GROUPS}/:group`, (c) => {
    const record = existing(c, 'delete')
    const { subscriptionId = '' } = c.get('address')
    arm.groups.markDeleting(record)
    const operation = arm.operations.begin(record.id, emptyAndDelete(arm, record))
    const { origin } = new URL(c.req.url)
    c.header(
      'location',
      `${origin}/subscriptions/${subscriptionId}/operationresults/${operation.id}?api-version=${c.get('apiVersion')}`,
    )
    return c.body(null, 202)
  })
}

async function emptyAndDelete(arm: ArmContext, record: ResourceGroupRecord): Promise<OperationResult> {
  for (const type of arm.types) {
    await Promise.all(type.list(record.id).map((resource) => type.delete(resource.id)))
  }
  for (const assignment of arm.roleAssignments.list(record.id)) await arm.roleAssignments.delete(assignment.id)
  for (const deployment of arm.deployments.list(record.id)) arm.deployments.delete(deployment.id)
  arm.groups.delete(record)
  return { status: 'Succeeded' }
}
