import type { DurableOrchestrationStatus } from 'durable-functions'
import type { DeploymentRecord, Operation, Phase } from '../deployment/record.ts'
import type { Progress } from '../orchestrators/story.ts'

/** What a client sees of a deployment. Durable's management URLs, and the template, stay inside. */
export function viewOf(record: DeploymentRecord, status: DurableOrchestrationStatus | undefined) {
  const running = isRunning(status)
  const progress = status && running ? progressOf(status) : undefined
  const { spec, effects } = record
  return {
    name: spec.name,
    phase: progress?.phase ?? (crashed(record, status) ? 'Failed' : record.phase),
    operation: progress?.operation ?? record.operation,
    resourceGroup: spec.resourceGroup,
    steps: progress?.steps ?? record.steps,
    key: effects.key && { id: effects.key.id, name: effects.key.name, version: effects.key.version },
    vault: spec.key.vaultHost,
    authority: spec.key.authority,
    hostData: effects.hostData,
    group: effects.group,
    identity: effects.identity && {
      id: effects.identity.id,
      clientId: effects.identity.clientId,
      created: effects.identity.created,
    },
    role: effects.role && { name: effects.role.roleName, scope: effects.role.scope },
    proof: effects.proof,
    rotations: record.rotations,
    failure: record.failure ?? crashed(record, status),
    remains: record.remains,
    updatedAt: record.updatedAt,
  }
}

/** For the list: enough to choose one. */
export function summaryOf(record: DeploymentRecord) {
  return { name: record.spec.name, phase: record.phase, key: record.effects.key?.id, updatedAt: record.updatedAt }
}

export function isRunning(status: DurableOrchestrationStatus | undefined): boolean {
  return ['Running', 'Pending', 'ContinuedAsNew', 'Suspended'].includes(status?.runtimeStatus ?? '')
}

/** An orchestration that ended without writing its record (a defect, or a termination by hand) must not look busy for ever. */
function crashed(record: DeploymentRecord, status: DurableOrchestrationStatus | undefined) {
  if (!['Provisioning', 'Undoing', 'Upgrading', 'Rotating', 'Deleting'].includes(record.phase)) return undefined
  if (status?.runtimeStatus !== 'Failed' && status?.runtimeStatus !== 'Terminated') return undefined
  return {
    step: record.operation,
    code: 'ERR_ORCHESTRATION',
    reason: `the orchestration ended as ${status.runtimeStatus}`,
  }
}

const PHASE_OF: Readonly<Record<Operation, Phase>> = {
  provision: 'Provisioning',
  upgrade: 'Upgrading',
  rotate: 'Rotating',
  teardown: 'Deleting',
}

/** How far a running operation is. One that was accepted a moment ago has said nothing yet, but is under way. */
function progressOf({ name, customStatus }: DurableOrchestrationStatus): Progress | undefined {
  if (isProgress(customStatus)) return customStatus
  return isOperation(name) ? { operation: name, phase: PHASE_OF[name], steps: [] } : undefined
}

function isOperation(orchestration: string): orchestration is Operation {
  return Object.hasOwn(PHASE_OF, orchestration)
}

function isProgress(value: unknown): value is Progress {
  return typeof value === 'object' && value !== null && 'steps' in value && 'phase' in value
}
