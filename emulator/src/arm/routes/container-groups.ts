import type { Context, Hono } from 'hono'
import { authorize } from '../access.ts'
import { groupId } from '../address.ts'
import type { ArmContext, ArmVariables } from '../context.ts'
import { ArmError, armErrors, notCovered } from '../error.ts'
import { followByHeader } from './resources.ts'

const TYPE = 'Microsoft.ContainerInstance/containerGroups'
const GROUP =
  '/subscriptions/:subscription/resourcegroups/:group/providers/microsoft.containerinstance/containergroups/:name'

/** What a container group has beside PUT, GET and DELETE. */
export function containerGroupRoutes(app: Hono<ArmVariables>, arm: ArmContext): void {
  const target = (c: Context<ArmVariables>, action: string) => {
    const { subscriptionId = '', resourceGroup = '', names } = c.get('address')
    const name = names[0] ?? ''
    const id = `${groupId(subscriptionId, resourceGroup)}/providers/${TYPE}/${name}`
    authorize(arm.ctx, arm.authorizer, c.get('caller'), `${TYPE}/${action}`, id)
    const group = arm.groups.require(subscriptionId, resourceGroup)
    const record = arm.containerGroups.get(id)
    if (record === undefined) throw armErrors.resourceNotFound(`${TYPE}/${name}`, group.name)
    return record
  }

  app.post(`${GROUP}/restart`, async (c) => {
    const { id, spec } = target(c, 'restart/action')
    const { done } = await arm.containerGroups.restart(id)
    followByHeader(c, arm, id, { done, location: spec.location })
    return c.body(null, 204)
  })

  app.post(`${GROUP}/start`, async (c) => {
    const { id, spec } = target(c, 'start/action')
    const { done } = await arm.containerGroups.start(id)
    followByHeader(c, arm, id, { done, location: spec.location })
    return c.body(null, 202)
  })

  app.post(`${GROUP}/stop`, async (c) => {
    await arm.containerGroups.stop(target(c, 'stop/action').id)
    return c.body(null, 204)
  })

  app.get(`${GROUP}/containers/:container/logs`, (c) => {
    const { id } = target(c, 'containers/logs/read')
    const container = c.get('address').names[1] ?? ''
    const tail = tailOf(c.req.query('tail'))
    const timestamps = c.req.query('timestamps')?.toLowerCase() === 'true'
    const content = arm.containerGroups.logs(id, container, { timestamps, ...(tail !== undefined && { tail }) })
    return c.json({ content })
  })

  app.post(`${GROUP}/containers/:container/exec`, (c) => {
    target(c, 'containers/exec/action')
    throw notCovered('exec into a container')
  })
  app.post(`${GROUP}/containers/:container/attach`, (c) => {
    target(c, 'containers/attach/action')
    throw notCovered('attaching to a container')
  })
  app.get(`${GROUP}/outboundnetworkdependenciesendpoints`, (c) => {
    target(c, 'outboundNetworkDependenciesEndpoints/read')
    return c.json([])
  })

  app.get(
    '/subscriptions/:subscription/providers/microsoft.containerinstance/locations/:location/operations/:operation',
    (c) => {
      const operation = arm.operations.get(c.req.param('operation'))
      if (operation === undefined) throw operationNotFound(c.req.param('operation'))
      const { resourceId: id, status, startTime, error } = operation
      const record = arm.containerGroups.get(id)
      const events = [...(record?.events ?? []), ...Object.values(record?.views ?? {}).flatMap((view) => view.events)]
      return c.json({
        id,
        status,
        startTime,
        properties: { events },
        ...(error !== undefined && { error: { code: 'Failed', message: error.message } }),
      })
    },
  )
}

function tailOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (/^\d{1,9}$/.test(text) && Number(text) > 0) return Number(text)
  throw new ArmError(400, {
    code: 'InvalidTail',
    message: `The query parameter 'tail' must be a positive integer, not '${text}'.`,
  })
}

export function operationNotFound(id: string): ArmError {
  return new ArmError(404, { code: 'OperationNotFound', message: `The operation '${id}' was not found.` })
}
