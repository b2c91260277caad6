import type { Collection, EmulatorContext } from '../../core/index.ts'
import type { ErrorBody } from '../error.ts'

/** A deployment, as it is kept: collection `armDeployments`, key: its lower-case id. Templates are not kept. */
export interface DeploymentRecord {
  readonly id: string
  readonly name: string
  readonly location?: string
  readonly tags?: Readonly<Record<string, string>>
  /** Name of its operationStatuses resource: 20 digits. */
  readonly operationId: string
  readonly startedAt: string
  readonly properties: DeploymentProperties
  readonly operations: readonly DeploymentOperation[]
}

export interface DeploymentProperties {
  readonly templateHash: string
  /** Secure ones without value. */
  readonly parameters: Readonly<Record<string, { readonly type: string; readonly value?: unknown }>>
  readonly mode: string
  readonly provisioningState: 'Accepted' | 'Running' | 'Succeeded' | 'Failed' | 'Canceled'
  readonly timestamp: string
  /** ISO 8601 duration. */
  readonly duration: string
  readonly correlationId: string
  readonly providers: readonly unknown[]
  readonly dependencies: readonly unknown[]
  readonly outputs?: Readonly<Record<string, { readonly type: string; readonly value?: unknown }>>
  readonly outputResources?: readonly { readonly id: string }[]
  readonly validatedResources?: readonly { readonly id: string }[]
  readonly error?: ErrorBody
}

export interface DeploymentOperation {
  readonly operationId: string
  readonly properties: {
    readonly provisioningOperation: 'Create' | 'EvaluateDeploymentOutput'
    readonly provisioningState: 'Running' | 'Succeeded' | 'Failed'
    readonly timestamp: string
    readonly duration: string
    readonly trackingId: string
    readonly serviceRequestId?: string
    readonly statusCode: string
    readonly statusMessage?: { readonly status?: string; readonly error: ErrorBody }
    readonly targetResource?: { readonly id: string; readonly resourceType: string; readonly resourceName: string }
  }
}

export interface Deployments {
  get(id: string): DeploymentRecord | undefined
  list(groupId: string): DeploymentRecord[]
  put(record: DeploymentRecord): void
  /** Changes one that is still there. */
  change(id: string, change: (record: DeploymentRecord) => DeploymentRecord): void
  delete(id: string): boolean
}

export function isTerminal(record: DeploymentRecord): boolean {
  return ['Succeeded', 'Failed', 'Canceled'].includes(record.properties.provisioningState)
}

export function openDeployments(ctx: Pick<EmulatorContext, 'store'>): Deployments {
  const records: Collection<DeploymentRecord> = ctx.store.collection('armDeployments')
  const deployments: Deployments = {
    get: (id) => records.get(id.toLowerCase()),
    list: (groupId) => records.values(`${groupId.toLowerCase()}/`),
    put: (record) => records.put(record.id.toLowerCase(), record),
    change(id, change) {
      const record = records.get(id.toLowerCase())
      if (record !== undefined) records.put(id.toLowerCase(), change(record))
    },
    delete: (id) => records.delete(id.toLowerCase()),
  }
  // What was under way when the emulator ended will not go on.
  const error = { code: 'Canceled', message: 'The emulator ended before the deployment did.' }
  for (const record of records.values()) {
    if (isTerminal(record)) continue
    deployments.put({ ...record, properties: { ...record.properties, provisioningState: 'Failed', error } })
  }
  return deployments
}
