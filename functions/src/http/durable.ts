import type { DurableClient, DurableOrchestrationStatus } from 'durable-functions'
import * as df from 'durable-functions'
import { ENTITY, instanceIdOf, REGISTRY_KEY } from '../deployment/names.ts'
import type { DeploymentRecord } from '../deployment/record.ts'
import { Problem } from '../problem.ts'
import { isRunning } from './view.ts'

export async function statusOf(
  client: DurableClient,
  instanceId: string,
): Promise<DurableOrchestrationStatus | undefined> {
  try {
    return await client.getStatus(instanceId)
  } catch {
    // The client throws for an instance that never was; there is no other sign.
    return undefined
  }
}

export async function recordOf(client: DurableClient, name: string): Promise<DeploymentRecord | undefined> {
  const { entityExists, entityState } = await client.readEntityState<DeploymentRecord | null>(
    new df.EntityId(ENTITY.deployment, name),
  )
  return entityExists ? (entityState ?? undefined) : undefined
}

export async function deploymentNames(client: DurableClient): Promise<string[]> {
  const { entityExists, entityState } = await client.readEntityState<{ names: string[] }>(
    new df.EntityId(ENTITY.registry, REGISTRY_KEY),
  )
  return entityExists ? (entityState?.names ?? []) : []
}

/** @throws Problem 404 */
export async function requireRecord(client: DurableClient, name: string): Promise<DeploymentRecord> {
  const record = await recordOf(client, name)
  if (!record) throw new Problem(404, 'ERR_NOT_FOUND', `There is no deployment named ${name}.`)
  return record
}

/**
 * Starts an operation on a deployment. One instance id a deployment, so that two never run at once.
 * @throws Problem 409 while another one runs
 */
export async function startOperation(
  client: DurableClient,
  name: string,
  orchestration: string,
  input: unknown,
): Promise<void> {
  await startOnce(client, orchestration, instanceIdOf(name), input, `Deployment ${name}`)
}

/**
 * Starts an orchestration under an instance id of its own.
 * @throws Problem 409 while one of that id runs, also when it was started between the look and the start
 */
export async function startOnce(
  client: DurableClient,
  orchestration: string,
  instanceId: string,
  input: unknown,
  what: string,
): Promise<void> {
  const refuseIfBusy = async () => {
    const status = await statusOf(client, instanceId)
    if (isRunning(status)) throw new Problem(409, 'ERR_BUSY', `${what} is busy: ${status?.name} is running.`)
  }
  await refuseIfBusy()
  try {
    await client.startNew(orchestration, { instanceId, input })
  } catch (error) {
    await refuseIfBusy()
    throw error
  }
}
