import type { Hono } from 'hono'
import { authorize } from '../access.ts'
import type { ArmContext, ArmVariables } from '../context.ts'
import { armErrors, notCovered } from '../error.ts'
import { viewLocations } from '../locations.ts'
import { viewOperations } from '../providers/operations.ts'
import { subscriptionsOf, viewSubscription, viewTenant } from '../subscriptions.ts'
import { operationNotFound } from './container-groups.ts'

/** Subscriptions, the tenant, resource providers, and the results of operations followed by `Location`. */
export function subscriptionRoutes(app: Hono<ArmVariables>, arm: ArmContext): void {
  const { ctx } = arm
  const { tenantId } = ctx.seed
  const records = subscriptionsOf(ctx)

  app.get('/tenants', (c) => c.json({ value: [viewTenant(tenantId, c.get('apiVersion'))] }))

  app.get('/subscriptions', (c) => {
    const { objectId } = c.get('caller')
    const readable = records
      .values()
      .filter(({ subscriptionId }) => arm.authorizer.reaches(objectId, `/subscriptions/${subscriptionId}`))
    return c.json({
      value: readable.map((record) => viewSubscription(record, tenantId, c.get('apiVersion'))),
      count: { type: 'Total', value: readable.length },
    })
  })
  app.get('/subscriptions/:subscription/locations', (c) => {
    const { subscriptionId = '' } = c.get('address')
    const action = 'Microsoft.Resources/subscriptions/locations/read'
    authorize(ctx, arm.authorizer, c.get('caller'), action, `/subscriptions/${subscriptionId}`)
    return c.json({ value: viewLocations(subscriptionId) })
  })
  app.get('/subscriptions/:subscription', (c) => {
    const { subscriptionId = '' } = c.get('address')
    const scope = `/subscriptions/${subscriptionId}`
    // Whoever has a role on anything in it may see the subscription itself.
    if (!arm.authorizer.reaches(c.get('caller').objectId, scope)) {
      authorize(ctx, arm.authorizer, c.get('caller'), 'Microsoft.Resources/subscriptions/read', scope)
    }
    const record = records.get(subscriptionId.toLowerCase())
    if (record === undefined) throw armErrors.subscriptionNotFound(subscriptionId)
    return c.json(viewSubscription(record, tenantId, c.get('apiVersion')))
  })

  app.get('/providers/:namespace/operations', (c) => {
    const { namespace = '' } = c.get('address')
    const value = viewOperations(namespace)
    if (value === undefined) throw notCovered(`the operations of ${namespace}`)
    return c.json({ value })
  })

  /** Every provider counts as registered. */
  app.get('/subscriptions/:subscription/providers/:namespace', (c) =>
    c.json(provider(c.get('address').namespace ?? '')),
  )
  app.post('/subscriptions/:subscription/providers/:namespace/register', (c) =>
    c.json(provider(c.get('address').namespace ?? '')),
  )
  const provider = (asked: string) => {
    const own = arm.types.filter(({ type }) => type.toLowerCase().startsWith(`${asked.toLowerCase()}/`))
    const namespace = own[0]?.type.split('/')[0] ?? asked
    const resourceTypes = own.map(({ type }) => ({ resourceType: type.slice(namespace.length + 1), locations: [] }))
    return { id: `/providers/${namespace}`, namespace, registrationState: 'Registered', resourceTypes }
  }

  app.get('/subscriptions/:subscription/operationresults/:operation', (c) => {
    const operation = arm.operations.get(c.req.param('operation'))
    if (operation === undefined) throw operationNotFound(c.req.param('operation'))
    if (operation.status === 'Pending') {
      c.header('location', c.req.url)
      return c.body(null, 202)
    }
    if (operation.error !== undefined) return c.json({ error: operation.error }, 500)
    return c.body(null, operation.doneStatus === 204 ? 204 : 200)
  })
}
