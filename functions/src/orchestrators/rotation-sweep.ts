import * as df from 'durable-functions'
import { START_ROTATION } from '../activities/start-rotation.ts'
import { isDue } from '../deployment/due.ts'
import { ENTITY, ORCHESTRATION, REGISTRY_KEY } from '../deployment/names.ts'
import type { DeploymentRecord } from '../deployment/record.ts'
import type { Pace } from '../settings.ts'
import type { Steps } from './story.ts'

export interface SweepInput {
  readonly pace: Pace
  readonly rotationAgeDays: number
}

export interface SweepResult {
  /** Deployments whose rotation was started. */
  readonly started: readonly string[]
  /** Deployments that are due and busy with something else: the next sweep finds them again. */
  readonly left: readonly string[]
}

/**
 * Goes through all recorded deployments and starts a rotation for each whose key version is due on the orchestration's own
 * clock. A rotation is an orchestration of its own, under the deployment's instance id, so that it never meets an upgrade
 * or a teardown of the same group; one that is busy does not hold the others back.
 */
export function* rotationSweep(context: df.OrchestrationContext): Steps<SweepResult> {
  const { pace, rotationAgeDays } = context.df.getInput<SweepInput>()!
  const names = (yield context.df.callEntity(new df.EntityId(ENTITY.registry, REGISTRY_KEY), 'names')) as string[]
  const due: string[] = []
  for (const name of names) {
    const record = (yield context.df.callEntity(
      new df.EntityId(ENTITY.deployment, name),
      'get',
    )) as DeploymentRecord | null
    if (record && isDue(record, context.df.currentUtcDateTime.getTime(), rotationAgeDays)) due.push(name)
  }
  if (due.length === 0) return { started: [], left: [] }
  const retry = new df.RetryOptions(Math.max(1, pace.retrySeconds * 1000), 4)
  const outcomes = (yield context.df.Task.all(
    due.map((name) => context.df.callActivityWithRetry(START_ROTATION, retry, { name, pace })),
  )) as boolean[]
  return {
    started: due.filter((_name, index) => outcomes[index]),
    left: due.filter((_name, index) => !outcomes[index]),
  }
}

df.app.orchestration(ORCHESTRATION.rotationSweep, rotationSweep)
