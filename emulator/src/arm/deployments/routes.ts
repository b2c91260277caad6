import type { Context, Hono } from 'hono'
import { authorize } from '../access.ts'
import { groupId } from '../address.ts'
import { readJsonBody } from '../body.ts'
import type { ArmContext, ArmVariables } from '../context.ts'
import { ArmError, armErrors, notCovered } from '../error.ts'
import { readDeployment } from './request.ts'
import { runDeployment } from './run.ts'
import { type DeploymentRecord, isTerminal } from './state.ts'

const BASE = '/subscriptions/:subscription/resourcegroups/:group/providers/microsoft.resources/deployments'
const SHORT = '/subscriptions/:subscription/resourcegroups/:group/deployments'

/** Microsoft.Resources/deployments at the scope of a resource group. */
export function deploymentRoutes(app: Hono<ArmVariables>, arm: ArmContext): void {
  const place = (c: Context<ArmVariables>) => {
    const { subscriptionId = '', resourceGroup = '' } = c.get('address')
    return { subscriptionId, resourceGroup, group: arm.groups.require(subscriptionId, resourceGroup) }
  }
  const allow = (c: Context<ArmVariables>, action: string) => {
    const { subscriptionId = '', resourceGroup = '' } = c.get('address')
    const name = nameOf(c)
    const scope = `${groupId(subscriptionId, resourceGroup)}/providers/Microsoft.Resources/deployments/${name}`
    authorize(arm.ctx, arm.authorizer, c.get('caller'), `Microsoft.Resources/deployments/${action}`, scope)
    return scope
  }
  const existing = (c: Context<ArmVariables>, action: string): DeploymentRecord => {
    const id = allow(c, action)
    place(c)
    const record = arm.deployments.get(id)
    if (record === undefined) {
      throw new ArmError(404, { code: 'DeploymentNotFound', message: `Deployment '${nameOf(c)}' could not be found.` })
    }
    return record
  }
  const read = async (c: Context<ArmVariables>, action: string) => {
    const id = allow(c, action)
    const { subscriptionId, group } = place(c)
    const body = await readJsonBody(c.req.raw)
    return { id, ready: readDeployment(arm, { subscriptionId, group, name: nameOf(c), body, caller: c.get('caller') }) }
  }

  app.get(BASE, (c) => {
    const { subscriptionId, group } = place(c)
    authorize(
      arm.ctx,
      arm.authorizer,
      c.get('caller'),
      'Microsoft.Resources/deployments/read',
      groupId(subscriptionId, group.name),
    )
    return c.json({ value: arm.deployments.list(group.id).map(view) })
  })

  app.put(`${BASE}/:name`, async (c) => {
    const { id, ready } = await read(c, 'write')
    const before = arm.deployments.get(id)
    if (before !== undefined && !isTerminal(before)) {
      throw new ArmError(409, {
        code: 'DeploymentActive',
        message: `Unable to edit or replace deployment '${before.name}': previous deployment from '${before.startedAt}' is still active. Please see https://aka.ms/arm-deploy for usage details.`,
      })
    }
    arm.deployments.put(ready.record)
    void runDeployment(arm, ready)
    const { origin } = new URL(c.req.url)
    c.header(
      'azure-asyncoperation',
      `${origin}${ready.record.id}/operationStatuses/${ready.record.operationId}?api-version=${c.get('apiVersion')}`,
    )
    return c.json(view(ready.record), before === undefined ? 201 : 200)
  })

  // Hono answers HEAD by the GET handler without its body, which gives 200 where Azure gives 204.
  app.get(`${BASE}/:name`, (c) => {
    const record = existing(c, 'read')
    return c.req.raw.method === 'HEAD' ? c.body(null, 204) : c.json(view(record))
  })

  app.delete(`${BASE}/:name`, (c) => {
    const record = existing(c, 'delete')
    if (!isTerminal(record)) throw stillActive(record)
    const done = Promise.resolve().then(() => {
      arm.deployments.delete(record.id)
      return { status: 'Succeeded' as const }
    })
    const operation = arm.operations.begin(record.id, done, 204)
    const { origin } = new URL(c.req.url)
    const { subscriptionId } = place(c)
    c.header(
      'location',
      `${origin}/subscriptions/${subscriptionId}/operationresults/${operation.id}?api-version=${c.get('apiVersion')}`,
    )
    return c.body(null, 202)
  })

  app.post(`${BASE}/:name/cancel`, (c) => {
    const record = existing(c, 'cancel/action')
    if (isTerminal(record)) throw cannotBeCancelled(record)
    const error = { code: 'DeploymentCanceled', message: `The deployment '${record.name}' was canceled.` }
    arm.deployments.put({ ...record, properties: { ...record.properties, provisioningState: 'Canceled', error } })
    return c.body(null, 204)
  })

  app.post(`${BASE}/:name/validate`, async (c) => {
    const { ready } = await read(c, 'validate/action')
    const validatedResources = ready.template.resources.filter(({ skipped }) => !skipped).map(({ id }) => ({ id }))
    const properties = { ...ready.record.properties, provisioningState: 'Succeeded' as const, validatedResources }
    return c.json(view({ ...ready.record, properties }))
  })

  app.post(`${BASE}/:name/whatif`, () => {
    throw notCovered('what-if of a deployment')
  })
  app.post(`${BASE}/:name/exporttemplate`, () => {
    throw notCovered('the export of a deployed template')
  })

  app.get(`${BASE}/:name/operationstatuses/:operation`, (c) => {
    const record = existing(c, 'operationstatuses/read')
    const { provisioningState, error } = record.properties
    return c.json({ status: provisioningState, ...(error !== undefined && { error }) })
  })

  for (const base of [BASE, SHORT]) {
    app.get(`${base}/:name/operations`, (c) => {
      const record = existing(c, 'operations/read')
      return c.json({ value: record.operations.map((operation) => viewOperation(record, operation)) })
    })
    app.get(`${base}/:name/operations/:operation`, (c) => {
      const record = existing(c, 'operations/read')
      const wanted = c.req.param('operation').toLowerCase()
      const operation = record.operations.find(({ operationId }) => operationId.toLowerCase() === wanted)
      if (operation === undefined)
        throw armErrors.resourceNotFound(`operations/${wanted}`, c.get('address').resourceGroup ?? '')
      return c.json(viewOperation(record, operation))
    })
  }
}

/** The name in the case of the request; the route matched it in lower case. */
function nameOf(c: Context<ArmVariables>): string {
  const segments = c.get('address').path.split('/')
  const at = segments.findIndex((segment) => segment.toLowerCase() === 'deployments')
  return segments[at + 1] ?? ''
}

function view({ id, name, location, tags, properties }: DeploymentRecord) {
  return {
    id,
    name,
    type: 'Microsoft.Resources/deployments',
    ...(location !== undefined && { location }),
    ...(tags !== undefined && { tags }),
    properties,
  }
}

function viewOperation(record: DeploymentRecord, operation: DeploymentRecord['operations'][number]) {
  return { id: `${record.id}/operations/${operation.operationId}`, ...operation }
}

function stillActive(record: DeploymentRecord): ArmError {
  return new ArmError(409, {
    code: 'DeploymentActive',
    message: `The deployment '${record.name}' is still active and cannot be deleted.`,
  })
}

/** A deployment expires 7 days after its start. */
function cannotBeCancelled(record: DeploymentRecord): ArmError {
  const expires = new Date(Date.parse(record.startedAt) + 7 * 86_400_000)
  const time = expires.toLocaleString('en-US', { timeZone: 'UTC' }).replace(',', '')
  return new ArmError(409, {
    code: 'DeploymentCannotBeCancelled',
    message: `The deployment '${record.name}' cannot be cancelled because it has provisioning state '${record.properties.provisioningState}' or it has already expired (expiration time is '${time}').`,
  })
}
