import * as df from 'durable-functions'
import { updateReleasePolicy } from '../activities/key.ts'
import { digestCcePolicy } from '../activities/policy.ts'
import { ORCHESTRATION } from '../deployment/names.ts'
import type { DeploymentRecord, DeploymentSpec } from '../deployment/record.ts'
import { releasePolicyOf } from '../deployment/release-policy.ts'
import type { Pace } from '../settings.ts'
import { rollOut } from './rollout.ts'
import { StepFailed, type Steps, Story } from './story.ts'

export interface UpgradeInput {
  readonly record: DeploymentRecord
  /** The new template, under the same deployment name. */
  readonly spec: DeploymentSpec
  readonly pace: Pace
  /** Counts the deployment's upgrades; part of the ARM deployment's name. */
  readonly operation: string
}

/**
 * A new template with a new CCE policy. The key accepts old and new host data until the new group has proven that it gets
 * the key; only then is the old host data dropped. When it does not prove it, the old template and policy come back.
 */
export function* upgrade(context: df.OrchestrationContext): Steps<{ phase: string }> {
  const { record, spec, pace, operation } = context.df.getInput<UpgradeInput>()!
  const { failure: _earlier, ...kept } = record
  const story = new Story(context, pace, { ...kept, phase: 'Upgrading', operation: 'upgrade' })
  yield* story.save()
  const { vault, key, hostData: oldHostData } = story.effects
  try {
    if (!vault || !key || !oldHostData)
      throw new StepFailed('upgrade', 'ERR_KEY_UNKNOWN', 'no key is recorded for this deployment')
    const { hostData } = yield* story.step(
      'digest CCE policy',
      story.call(digestCcePolicy, { ccePolicy: spec.reading.ccePolicy }),
      (digest) => `host data ${digest.hostData}`,
    )
    const accept = (values: readonly string[]) =>
      story.call(updateReleasePolicy, {
        vault,
        keyName: key.name,
        releasePolicy: releasePolicyOf(spec.key, [...new Set(values)]),
      })
    yield* story.step('accept old and new', accept([oldHostData, hostData]))
    try {
      yield* rollOut(story, spec, key, `${spec.name}-${operation}`)
    } catch (error) {
      if (!(error instanceof StepFailed)) throw error
      story.amend({ failure: { step: error.step, code: error.code, reason: error.message } })
      yield* rollOut(story, record.spec, key, `${spec.name}-${operation}-back`)
      yield* story.step('accept the old only', accept([oldHostData]))
      story.amend({ phase: 'Running' })
      yield* story.save()
      return { phase: story.record.phase }
    }
    yield* story.step('accept the new only', accept([hostData]))
    story.learn({ hostData, releasePolicy: releasePolicyOf(spec.key, [hostData]) })
    story.amend({ phase: 'Running', spec })
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error
    story.amend({ phase: 'Failed', failure: { step: error.step, code: error.code, reason: error.message } })
  }
  yield* story.save()
  return { phase: story.record.phase }
}

df.app.orchestration(ORCHESTRATION.upgrade, upgrade)
