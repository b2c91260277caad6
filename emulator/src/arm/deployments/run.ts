import { parseAddress } from '../address.ts'
import { type ArmContext, findType } from '../context.ts'
import { ArmError, asArmError, type ErrorBody } from '../error.ts'
import {
  findResources,
  isObject,
  type Reference,
  TemplateError,
  type TemplateResource,
  type Value,
} from '../template/index.ts'
import { extensionType, type ReadyDeployment } from './request.ts'
import type { DeploymentOperation, DeploymentProperties, DeploymentRecord } from './state.ts'

type ResourceOutcome =
  | { readonly ok: true; readonly statusCode: 'OK' | 'Created' }
  | { readonly ok: false; readonly statusCode: string; readonly error: ErrorBody; readonly failedAfterwards: boolean }

/** Deploys every resource in its order, those that need nothing of each other together. Never rejects. */
export async function runDeployment(arm: ArmContext, ready: ReadyDeployment): Promise<void> {
  const { record, template } = ready
  const { deployments, ctx } = arm
  const reference = references(arm, template.resources)
  const results = new Map<string, Promise<boolean>>()
  const change = (update: Partial<DeploymentProperties>) =>
    deployments.change(record.id, (kept) => ({
      ...kept,
      properties: { ...kept.properties, ...times(arm, kept), ...update },
    }))
  const isCanceled = () => deployments.get(record.id)?.properties.provisioningState === 'Canceled'

  const deploy = (resource: TemplateResource): Promise<boolean> => {
    const known = results.get(resource.id)
    if (known !== undefined) return known
    const needed = [...(template.dependencies.get(resource.id.toLowerCase()) ?? [])]
    const before = template.resources.filter((other) => needed.includes(other.id.toLowerCase()))
    const result = Promise.all(before.map(deploy)).then(async (done) => {
      if (resource.skipped) return true
      if (!done.every(Boolean) || isCanceled()) return false
      const started = ctx.clock.now()
      const outcome = await deployResource(arm, ready, resource, reference)
      noteOperation(arm, record.id, resource, outcome, started)
      return outcome.ok
    })
    results.set(resource.id, result)
    return result
  }

  change({ provisioningState: 'Running' })
  await Promise.all(template.resources.map(deploy))
  if (isCanceled()) return
  const deployed = await Promise.all(
    template.resources.map(async (resource) => ((await deploy(resource)) ? [resource] : [])),
  )
  const outputResources = deployed.flat().filter((resource) => !resource.skipped)
  const failures = failedOperations(arm, record.id)
  if (failures.length > 0) {
    finish(arm, record, change, {
      error: deploymentFailed(failures),
      outputResources: outputResources.map(({ id }) => ({ id })),
    })
    return
  }
  try {
    const outputs = template.outputs(reference)
    noteOutputs(arm, record)
    finish(arm, record, change, { outputs, outputResources: outputResources.map(({ id }) => ({ id })) })
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    finish(arm, record, change, { error: { code: 'DeploymentOutputEvaluationFailed', message } })
  }
}

function finish(
  arm: ArmContext,
  record: DeploymentRecord,
  change: (update: Partial<DeploymentProperties>) => void,
  result: Partial<DeploymentProperties>,
): void {
  const { error } = result
  change({ ...result, provisioningState: error === undefined ? 'Succeeded' : 'Failed' })
  arm.ctx.journal.write({
    service: 'arm',
    operation: 'deploy',
    outcome: error === undefined ? 'done' : 'failed',
    subject: record.id,
    summary:
      error === undefined
        ? `Deployment ${record.name} succeeded.`
        : `Deployment ${record.name} failed: ${[error, ...(error.details ?? [])].at(-1)?.message}`,
  })
}

async function deployResource(
  arm: ArmContext,
  { template, caller }: ReadyDeployment,
  resource: TemplateResource,
  reference: Reference,
): Promise<ResourceOutcome> {
  try {
    const type = findType(arm, resource.type) ?? findType(arm, extensionType(resource))
    if (type === undefined) throw new ArmError(404, { code: 'InvalidResourceType', message: resource.type })
    const body = template.body(resource, reference)
    const name = resource.id.slice(resource.id.lastIndexOf('/') + 1)
    const { status, operation } = await type.put({
      id: resource.id,
      name,
      body,
      caller,
      apiVersion: resource.apiVersion,
    })
    const result = await operation?.done
    if (result?.status === 'Failed') return failedAfterwards(result.error ?? { code: 'Failed', message: 'Failed' })
    return { ok: true, statusCode: status === 201 ? 'Created' : 'OK' }
  } catch (error) {
    const known = asArmError(error)
    const body = known?.body ?? { code: 'InternalServerError', message: String(error) }
    return { ok: false, statusCode: statusWord(known?.status ?? 500), error: body, failedAfterwards: false }
  }
}

/** A resource whose PUT was accepted and whose operation failed then. */
function failedAfterwards(inner: ErrorBody): ResourceOutcome {
  return {
    ok: false,
    statusCode: 'Conflict',
    failedAfterwards: true,
    error: {
      code: 'ResourceDeploymentFailure',
      message:
        "The resource write operation failed to complete successfully, because it reached terminal provisioning state 'Failed'.",
      details: [inner],
    },
  }
}

function noteOperation(
  arm: ArmContext,
  id: string,
  resource: TemplateResource,
  outcome: ResourceOutcome,
  startedMs: number,
): void {
  const { ctx } = arm
  const operation: DeploymentOperation = {
    operationId: ctx.random.bytes(8).toString('hex').toUpperCase(),
    properties: {
      provisioningOperation: 'Create',
      provisioningState: outcome.ok ? 'Succeeded' : 'Failed',
      timestamp: new Date(ctx.clock.now()).toISOString(),
      duration: duration(ctx.clock.now() - startedMs),
      trackingId: ctx.random.uuid(),
      serviceRequestId: ctx.random.uuid(),
      statusCode: outcome.statusCode,
      ...(!outcome.ok && { statusMessage: { status: 'Failed', error: outcome.error } }),
      targetResource: { id: resource.id, resourceType: resource.type, resourceName: resource.name },
    },
  }
  arm.deployments.change(id, (record) => ({ ...record, operations: [...record.operations, operation] }))
}

function noteOutputs(arm: ArmContext, { id, operationId }: DeploymentRecord): void {
  const { ctx } = arm
  const operation: DeploymentOperation = {
    operationId,
    properties: {
      provisioningOperation: 'EvaluateDeploymentOutput',
      provisioningState: 'Succeeded',
      timestamp: new Date(ctx.clock.now()).toISOString(),
      duration: 'PT0S',
      trackingId: ctx.random.uuid(),
      statusCode: 'OK',
    },
  }
  arm.deployments.change(id, (record) => ({ ...record, operations: [...record.operations, operation] }))
}

function failedOperations(arm: ArmContext, id: string): DeploymentOperation[] {
  return (arm.deployments.get(id)?.operations ?? []).filter((item) => item.properties.provisioningState === 'Failed')
}

/**
 * The nesting that clients see: a refusal of the provider as it was; a failure after acceptance under the name of its
 * HTTP status, its own document as JSON inside the message.
 */
function deploymentFailed(failures: readonly DeploymentOperation[]): ErrorBody {
  const details = failures.map(({ properties: { statusCode, statusMessage } }): ErrorBody => {
    const error = statusMessage?.error ?? { code: statusCode, message: statusCode }
    if (error.code !== 'ResourceDeploymentFailure') return error
    return {
      code: statusCode,
      message: JSON.stringify({ status: 'Failed', error }, undefined, 2).replaceAll('\n', '\r\n'),
    }
  })
  return {
    code: 'DeploymentFailed',
    message:
      'At least one resource deployment operation failed. Please list deployment operations for details. Please see https://aka.ms/arm-deployment-operations for usage details.',
    details,
  }
}

const STATUS_WORDS: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  501: 'NotImplemented',
}

function statusWord(status: number): string {
  return STATUS_WORDS[status] ?? 'InternalServerError'
}

/** Looks a resource up by id, or by a name of the template; it must be there by now. */
function references(arm: ArmContext, resources: readonly TemplateResource[]): Reference {
  return (idOrName, full) => {
    const id = findResources(resources, idOrName)[0]?.id ?? idOrName
    const { namespace = '', types, subscriptionId } = parseAddress(id)
    const type = findType(arm, `${namespace}/${types.join('/')}`)
    const resource = subscriptionId === undefined ? undefined : type?.get(id)
    if (resource === undefined) {
      throw new TemplateError(
        `The resource '${idOrName}' is not defined in the template, and there is no such resource.`,
        undefined,
        `The language expression reference('${idOrName}') cannot be evaluated: the resource was not found.`,
      )
    }
    const whole = JSON.parse(JSON.stringify(resource)) as Value
    return full || !isObject(whole) ? whole : (whole.properties ?? {})
  }
}

function times(arm: ArmContext, record: DeploymentRecord): Pick<DeploymentProperties, 'timestamp' | 'duration'> {
  const now = arm.ctx.clock.now()
  return { timestamp: new Date(now).toISOString(), duration: duration(now - Date.parse(record.startedAt)) }
}

/** ISO 8601, in seconds. */
export function duration(ms: number): string {
  return `PT${ms / 1000}S`
}
