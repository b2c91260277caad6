import * as df from 'durable-functions'
import { rotateKey } from '../activities/key.ts'
import { ORCHESTRATION } from '../deployment/names.ts'
import type { DeploymentRecord } from '../deployment/record.ts'
import type { Pace } from '../settings.ts'
import { rollOut } from './rollout.ts'
import { failureOf, StepFailed, type Steps, Story } from './story.ts'

export interface RotateInput {
  readonly record: DeploymentRecord
  readonly pace: Pace
  /** Names this run. */
  readonly operation: string
}

/**
 * A new key version under the same release policy, the group restarted with a challenge for it, and its release proven.
 * The old version stays in the vault, so that a failed rotation takes nothing from a running group.
 */
export function* rotate(context: df.OrchestrationContext): Steps<{ phase: string }> {
  const { record, pace, operation } = context.df.getInput<RotateInput>()!
  const { failure: _earlier, ...kept } = record
  const story = new Story(context, pace, { ...kept, phase: 'Rotating', operation: 'rotate' })
  yield* story.save()
  try {
    const { vault, key } = story.effects
    if (!vault || !key) throw new StepFailed('rotate key', 'ERR_KEY_UNKNOWN', 'no key is recorded for this deployment')
    const next = yield* story.step(
      'rotate key',
      story.call(rotateKey, { vault, keyName: key.name, fromVersion: key.version }),
      ({ version }) => `version ${version} after ${key.version}`,
    )
    story.learn({ key: { ...next, created: key.created } })
    const at = story.now().toISOString()
    story.amend({
      keyVersionSince: at,
      rotations: [...record.rotations, { at, fromVersion: key.version, toVersion: next.version }],
    })
    const { spec, rotations } = record
    yield* rollOut(story, { spec, key: next, deploymentName: `${spec.name}-r${rotations.length + 1}`, operation })
    story.amend({ phase: 'Running' })
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error
    story.amend({ phase: 'Failed', failure: failureOf(error) })
  }
  yield* story.save()
  return { phase: story.record.phase }
}

df.app.orchestration(ORCHESTRATION.rotate, rotate)
