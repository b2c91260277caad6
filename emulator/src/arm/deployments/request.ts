import { createHash } from 'node:crypto'
import type { Principal } from '../../entra/index.ts'
import { authorize } from '../access.ts'
import { groupId } from '../address.ts'
import type { JsonBody } from '../body.ts'
import { type ArmContext, findType } from '../context.ts'
import { ArmError, asArmError, notCovered } from '../error.ts'
import type { ResourceGroupRecord } from '../groups.ts'
import { propertiesOf } from '../providers/types.ts'
import { subscriptionsOf } from '../subscriptions.ts'
import {
  isObject,
  isSecure,
  readTemplate,
  type Template,
  type TemplateResource,
  type Value,
} from '../template/index.ts'
import type { DeploymentProperties, DeploymentRecord } from './state.ts'

/** A deployment that may start: its template is read and its caller may do all of it. */
export interface ReadyDeployment {
  readonly record: DeploymentRecord
  readonly template: Template
  readonly caller: Principal
}

export interface DeploymentRequest {
  readonly subscriptionId: string
  readonly group: ResourceGroupRecord
  readonly name: string
  readonly body: JsonBody
  readonly caller: Principal
}

/**
 * Everything that is wrong with a deployment before anything is created.
 * @throws ArmError or TemplateError
 */
export function readDeployment(arm: ArmContext, request: DeploymentRequest): ReadyDeployment {
  const { ctx } = arm
  const { group, name, body, caller, subscriptionId } = request
  if (!/^[\w.()-]{1,64}$/.test(name)) {
    throw new ArmError(400, {
      code: 'InvalidDeploymentName',
      message: `The deployment name '${name}' is invalid. It must have 1 to 64 letters, digits, hyphens, underscores, parentheses or periods.`,
    })
  }
  const properties = propertiesOf(body.value)
  const mode = modeOf(properties.mode)
  if (properties.template === undefined || properties.templateLink !== undefined) {
    if (properties.templateLink !== undefined) throw notCovered('linked templates (templateLink)')
    throw new ArmError(400, {
      code: 'InvalidTemplate',
      message: 'The template is missing: one of the properties template and templateLink must be given.',
    })
  }
  const template = readTemplate({
    template: properties.template as Value,
    parameters: (properties.parameters ?? {}) as Value,
    requestText: body.text,
    surroundings: {
      subscription: {
        id: `/subscriptions/${subscriptionId}`,
        subscriptionId,
        tenantId: ctx.seed.tenantId,
        displayName: subscriptionsOf(ctx).get(subscriptionId.toLowerCase())?.displayName ?? 'Skerry',
      },
      resourceGroup: {
        id: group.id,
        name: group.name,
        type: 'Microsoft.Resources/resourceGroups',
        location: group.location,
        tags: group.tags ?? {},
      },
      deployment: { name, properties: { mode, template: properties.template as Value } },
    },
    now: () => new Date(ctx.clock.now()),
    newGuid: () => ctx.random.uuid(),
  })
  if (mode === 'Complete') throw notCovered('deployments in Complete mode')
  for (const resource of template.resources) checkResource(arm, resource, caller, name)
  return { template, caller, record: newRecord(arm, request, mode, template) }
}

function modeOf(mode: unknown): 'Incremental' | 'Complete' {
  if (typeof mode === 'string' && mode.toLowerCase() === 'incremental') return 'Incremental'
  if (typeof mode === 'string' && mode.toLowerCase() === 'complete') return 'Complete'
  throw new ArmError(400, {
    code: 'InvalidDeployment',
    message: `The 'mode' property of the deployment must be 'Incremental' or 'Complete'.`,
  })
}

function checkResource(arm: ArmContext, resource: TemplateResource, caller: Principal, deployment: string): void {
  if (resource.skipped) return
  const type = findType(arm, resource.type) ?? findType(arm, extensionType(resource))
  if (type === undefined) throw notCovered(`resources of type '${resource.type}' in a template`)
  const action = `${type.type}/write`
  try {
    authorize(arm.ctx, arm.authorizer, caller, action, resource.id)
  } catch (error) {
    if (asArmError(error)?.status !== 403) throw error
    const inner = `Authorization failed for template resource '${resource.name}' of type '${type.type}'. The client '${caller.clientId}' with object id '${caller.objectId}' does not have permission to perform action '${action}' at scope '${resource.id}'.`
    throw new ArmError(403, {
      code: 'InvalidTemplateDeployment',
      message: `The template deployment '${deployment}' is not valid: '${inner}'`,
      details: [{ code: 'AuthorizationFailed', message: inner }],
    })
  }
}

/** `Microsoft.KeyVault/vaults/providers/roleAssignments` is a role assignment. */
export function extensionType({ id, type }: TemplateResource): string {
  if (!/\/providers\//i.test(type)) return type
  const segments = id.slice(id.toLowerCase().lastIndexOf('/providers/') + 1).split('/')
  return `${segments[1]}/${segments[2]}`
}

function newRecord(arm: ArmContext, request: DeploymentRequest, mode: string, template: Template): DeploymentRecord {
  const { ctx } = arm
  const { subscriptionId, group, name, body } = request
  const now = new Date(ctx.clock.now()).toISOString()
  const { location, tags } = body.value
  return {
    id: `${groupId(subscriptionId, group.name)}/providers/Microsoft.Resources/deployments/${name}`,
    name,
    ...(typeof location === 'string' && { location }),
    ...(isObject(tags) && { tags: tags as Record<string, string> }),
    operationId: operationId(ctx.random.bytes(8)),
    startedAt: now,
    operations: [],
    properties: {
      templateHash: templateHash(propertiesOf(body.value).template),
      parameters: shownParameters(template),
      mode,
      provisioningState: 'Accepted',
      timestamp: now,
      duration: 'PT0S',
      correlationId: ctx.random.uuid(),
      providers: providersOf(template.resources, group.location),
      dependencies: shownDependencies(template),
    },
  }
}

/** 20 digits that begin with 0858, as the service's own do. */
function operationId(bytes: Uint8Array): string {
  const digits = Buffer.from(bytes).readBigUInt64BE() % 10n ** 16n
  return `0858${digits.toString().padStart(16, '0')}`
}

/** Azure's own hash is not published; this one is a decimal of the same range and follows the template alone. */
function templateHash(template: unknown): string {
  return createHash('sha256').update(JSON.stringify(template)).digest().readBigUInt64BE().toString()
}

function shownParameters(template: Template): DeploymentProperties['parameters'] {
  const entries = [...template.parameters].map(([name, { type, value }]) => {
    return [name, isSecure(type) ? { type } : { type, value }] as const
  })
  return Object.fromEntries(entries)
}

function providersOf(resources: readonly TemplateResource[], location: string): unknown[] {
  const namespaces = new Map<string, Map<string, unknown>>()
  for (const { type } of resources) {
    const [namespace = '', ...types] = type.split('/')
    const known = namespaces.get(namespace) ?? new Map<string, unknown>()
    known.set(types.join('/'), { resourceType: types.join('/'), locations: [location] })
    namespaces.set(namespace, known)
  }
  return [...namespaces].map(([namespace, types]) => ({ namespace, resourceTypes: [...types.values()] }))
}

function shownDependencies({ resources, dependencies }: Template): unknown[] {
  const shown = (resource: TemplateResource) => ({
    id: resource.id,
    resourceType: resource.type,
    resourceName: resource.name,
  })
  return resources.flatMap((resource) => {
    const needed = dependencies.get(resource.id.toLowerCase()) ?? new Set()
    const dependsOn = resources.filter((other) => needed.has(other.id.toLowerCase())).map(shown)
    return dependsOn.length === 0 ? [] : [{ dependsOn, ...shown(resource) }]
  })
}
