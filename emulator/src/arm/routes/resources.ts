import type { Context, Hono } from 'hono'
import { authorize } from '../access.ts'
import { groupId } from '../address.ts'
import { readJsonBody } from '../body.ts'
import { type ArmContext, type ArmVariables, findType } from '../context.ts'
import { ArmError, armErrors, notCovered } from '../error.ts'
import { type ArmResource, type ResourceType, tagsOf } from '../providers/types.ts'

const GROUP = '/subscriptions/:subscription/resourcegroups/:group'

/** Every type that lives in a resource group, the same way: PUT, GET, DELETE, PATCH of tags, and the lists. */
export function resourceRoutes(app: Hono<ArmVariables>, arm: ArmContext): void {
  const typeAt = (c: Context<ArmVariables>): ResourceType => {
    const { namespace = '', types } = c.get('address')
    const name = `${namespace}/${types.join('/')}`
    const type = findType(arm, name)
    if (type === undefined) throw notCovered(`resources of type '${name}'`)
    return type
  }
  /** Type and id of the resource that the request names; its caller may do `verb` with it, and its group exists. */
  const target = (c: Context<ArmVariables>, verb: string) => {
    const type = typeAt(c)
    const { subscriptionId = '', resourceGroup = '', names } = c.get('address')
    const name = names.at(-1) ?? ''
    const asked = `${groupId(subscriptionId, resourceGroup)}/providers/${type.type}/${name}`
    authorize(arm.ctx, arm.authorizer, c.get('caller'), `${type.type}/${verb}`, asked)
    const group = arm.groups.require(subscriptionId, resourceGroup)
    return { type, name, id: `${group.id}/providers/${type.type}/${name}`, group: group.name }
  }
  const existing = (c: Context<ArmVariables>, verb: string) => {
    const found = target(c, verb)
    const resource = found.type.get(found.id, c.get('apiVersion'))
    if (resource === undefined) throw armErrors.resourceNotFound(`${found.type.type}/${found.name}`, found.group)
    return { ...found, resource }
  }
  const listed = (c: Context<ArmVariables>, resources: readonly ArmResource[]) => {
    const matches = resourceFilter(c.req.query('$filter'))
    const value = resources.filter(matches).map(({ properties: _own, ...envelope }) => envelope)
    return c.json({ value })
  }

  app.get('/subscriptions/:subscription/resources', (c) => {
    const { subscriptionId = '' } = c.get('address')
    const scope = `/subscriptions/${subscriptionId}`
    authorize(arm.ctx, arm.authorizer, c.get('caller'), 'Microsoft.Resources/subscriptions/resources/read', scope)
    return listed(
      c,
      arm.types.flatMap((type) => type.list(scope)),
    )
  })
  app.get(`${GROUP}/resources`, (c) => {
    const { subscriptionId = '', resourceGroup = '' } = c.get('address')
    const scope = groupId(subscriptionId, resourceGroup)
    const action = 'Microsoft.Resources/subscriptions/resourceGroups/resources/read'
    authorize(arm.ctx, arm.authorizer, c.get('caller'), action, scope)
    arm.groups.require(subscriptionId, resourceGroup)
    return listed(
      c,
      arm.types.flatMap((type) => type.list(scope)),
    )
  })

  app.get('/subscriptions/:subscription/providers/:namespace/:type', (c) => {
    const type = typeAt(c)
    const scope = `/subscriptions/${c.get('address').subscriptionId}`
    authorize(arm.ctx, arm.authorizer, c.get('caller'), `${type.type}/read`, scope)
    return c.json({ value: type.list(scope, c.get('apiVersion')) })
  })
  app.get(`${GROUP}/providers/:namespace/:type`, (c) => {
    const type = typeAt(c)
    const { subscriptionId = '', resourceGroup = '' } = c.get('address')
    const scope = groupId(subscriptionId, resourceGroup)
    authorize(arm.ctx, arm.authorizer, c.get('caller'), `${type.type}/read`, scope)
    arm.groups.require(subscriptionId, resourceGroup)
    return c.json({ value: type.list(scope, c.get('apiVersion')) })
  })

  app.get(`${GROUP}/providers/:namespace/:type/:name`, (c) => {
    const { resource } = existing(c, 'read')
    return c.req.raw.method === 'HEAD' ? c.body(null, 204) : c.json(resource)
  })

  app.put(`${GROUP}/providers/:namespace/:type/:name`, async (c) => {
    const { type, id, name } = target(c, 'write')
    const { value } = await readJsonBody(c.req.raw)
    const known = type.get(id)
    const result = await type.put({
      id: known?.id ?? id,
      name: known?.name ?? name,
      body: value,
      caller: c.get('caller'),
      apiVersion: c.get('apiVersion'),
    })
    for (const [header, text] of Object.entries(result.headers ?? {})) c.header(header, text)
    if (result.operation !== undefined) {
      followByHeader(c, arm, result.body.id, result.operation)
    }
    followByLocation(c, result.follow)
    return c.json(result.body, result.status)
  })

  app.patch(`${GROUP}/providers/:namespace/:type/:name`, async (c) => {
    const { type, id, resource } = existing(c, 'write')
    const { value } = await readJsonBody(c.req.raw)
    if (type.patch !== undefined) {
      const { name } = resource
      const request = { id: resource.id, name, body: value, caller: c.get('caller'), apiVersion: c.get('apiVersion') }
      const result = await type.patch(request)
      followByLocation(c, result.follow)
      return c.json(result.body, result.status)
    }
    const others = Object.keys(value).filter((member) => member !== 'tags' && member !== 'location')
    if (type.setTags === undefined || others.length > 0) {
      throw notCovered(`PATCH of ${type.type} beyond its tags${others.length > 0 ? ` (${others.join(', ')})` : ''}`)
    }
    return c.json(type.setTags(id, tagsOf(value) ?? resource.tags ?? {}))
  })

  app.delete(`${GROUP}/providers/:namespace/:type/:name`, async (c) => {
    const { type, id } = target(c, 'delete')
    const result = await type.delete(id)
    if (result === undefined || result.status === 204) return c.body(null, 204)
    followByLocation(c, result.follow)
    return result.body === undefined ? c.body(null, result.status) : c.json(result.body, result.status)
  })
}

/** The header by which a client follows an operation of a provider that answers for it by itself. */
export function followByLocation(c: Context<ArmVariables>, path: string | undefined): void {
  if (path === undefined) return
  c.header('location', `${new URL(c.req.url).origin}${path}?api-version=${c.get('apiVersion')}`)
}

/** The header by which Microsoft.ContainerInstance lets its operations be followed. */
export function followByHeader(
  c: Context<ArmVariables>,
  arm: ArmContext,
  resourceId: string,
  operation: { readonly done: Promise<{ status: 'Succeeded' | 'Failed' }>; readonly location: string },
): void {
  const record = arm.operations.begin(resourceId, operation.done)
  const { subscriptionId } = c.get('address')
  const { origin } = new URL(c.req.url)
  c.header(
    'azure-asyncoperation',
    `${origin}/subscriptions/${subscriptionId}/providers/Microsoft.ContainerInstance/locations/${operation.location}/operations/${record.id}?api-version=2018-06-01`,
  )
}

/** `$filter` of the lists of resources: equalities joined by `and`. */
function resourceFilter(filter: string | undefined): (resource: ArmResource) => boolean {
  if (filter === undefined || filter.trim() === '') return () => true
  const clauses = filter
    .trim()
    .split(/\s+and\s+/i)
    .map((clause) => {
      const match = /^(resourceType|name|location|resourceGroup|tagName|tagValue)\s+eq\s+'([^']*)'$/i.exec(clause)
      if (match !== null) return { field: match[1]!.toLowerCase(), value: match[2]! }
      throw new ArmError(400, {
        code: 'InvalidFilterInQueryString',
        message: `Invalid $filter '${filter}' specified in the query string.`,
      })
    })
  const tagName = clauses.find(({ field }) => field === 'tagname')?.value
  const holds = (resource: ArmResource, field: string, value: string): boolean => {
    const same = (text: string | undefined) => text?.toLowerCase() === value.toLowerCase()
    if (field === 'resourcetype') return same(resource.type)
    if (field === 'name') return same(resource.name)
    if (field === 'location') return same(resource.location)
    if (field === 'resourcegroup') return same(/\/resourcegroups\/([^/]+)/i.exec(resource.id)?.[1])
    if (field === 'tagname') return resource.tags?.[value] !== undefined
    return tagName === undefined
      ? Object.values(resource.tags ?? {}).includes(value)
      : resource.tags?.[tagName] === value
  }
  return (resource) => clauses.every(({ field, value }) => holds(resource, field, value))
}
