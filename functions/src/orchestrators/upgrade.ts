import * as df from 'durable-functions'
import { updateReleasePolicy } from '../activities/key.ts'
import { digestCcePolicy } from '../activities/policy.ts'
import { ORCHESTRATION } from '../deployment/names.ts'
import type { DeploymentRecord, DeploymentSpec, KeyReference } from '../deployment/record.ts'
import { releasePolicyOf } from '../deployment/release-policy.ts'
import type { Pace } from '../settings.ts'
import { checkTemplate, rollOut } from './rollout.ts'
import { failureOf, StepFailed, type Steps, Story } from './story.ts'

export interface UpgradeInput {
  readonly record: DeploymentRecord
  /** The new template, under the same deployment name. */
  readonly spec: DeploymentSpec
  readonly pace: Pace
  /** Names this run. */
  readonly operation: string
}

/**
 * A new template with a new CCE policy. The key accepts old and new host data until the new group has proven that it gets
 * the key; only then is the old host data dropped. When it does not prove it, the old template and policy come back.
 */
export function* upgrade(context: df.OrchestrationContext): Steps<{ phase: string }> {
  const input = context.df.getInput<UpgradeInput>()!
  const { failure: _earlier, ...kept } = input.record
  const story = new Story(context, input.pace, { ...kept, phase: 'Upgrading', operation: 'upgrade' })
  yield* story.save()
  try {
    const change = yield* prepare(story, input)
    if (change) yield* moveOver(story, input, change)
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error
    story.amend({ phase: 'Failed', failure: failureOf(error) })
  }
  yield* story.save()
  return { phase: story.record.phase }
}

/** From which host data to which, under which key. */
interface Change {
  readonly from: string
  readonly to: string
  readonly key: KeyReference
}

/** All that can fail before anything has changed. Undefined when it did: the group runs on as before. */
function* prepare(story: Story, { record, spec, operation }: UpgradeInput): Steps<Change | undefined> {
  const { key, hostData: from, group } = story.effects
  try {
    if (!key || !from) throw new StepFailed('upgrade', 'ERR_KEY_UNKNOWN', 'no key is recorded for this deployment')
    const { hostData: to } = yield* story.step(
      'digest CCE policy',
      story.call(digestCcePolicy, { ccePolicy: spec.reading.ccePolicy }),
      (digest) => `host data ${digest.hostData}`,
    )
    const checked = checkTemplate(story, spec, deploymentNameOf(spec, operation), group?.id)
    yield* story.step('check template', checked, (id) => id ?? 'valid')
    return { from, to, key }
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error
    story.amend({ phase: record.phase, failure: failureOf(error) })
    return undefined
  }
}

function* moveOver(story: Story, { record, spec, operation }: UpgradeInput, { from, to, key }: Change): Steps<void> {
  const deploymentName = deploymentNameOf(spec, operation)
  yield* accept(story, 'accept old and new', [from, to])
  try {
    yield* rollOut(story, { spec, key, deploymentName, operation })
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error
    story.amend({ failure: failureOf(error) })
    yield* rollOut(story, { spec: record.spec, key, deploymentName: `${deploymentName}-back`, operation })
    yield* accept(story, 'accept the old only', [from])
    story.amend({ phase: 'Running' })
    return
  }
  // The new group has the key: whatever becomes of the last step, this is what runs.
  story.learn({ hostData: to })
  story.amend({ spec })
  yield* accept(story, 'accept the new only', [to])
  story.amend({ phase: 'Running' })
}

/** Sets to which host data the key is released. */
function* accept(story: Story, step: string, hostData: readonly string[]): Steps<void> {
  const { vault, key } = story.effects
  if (!vault || !key) throw new StepFailed(step, 'ERR_KEY_UNKNOWN', 'no key is recorded for this deployment')
  const releasePolicy = releasePolicyOf(story.record.spec.key, [...new Set(hostData)])
  yield* story.step(step, story.call(updateReleasePolicy, { vault, keyName: key.name, releasePolicy }))
  story.learn({ releasePolicy })
}

/** At most 64 characters, `-back` included: a deployment's name has 50. */
function deploymentNameOf(spec: DeploymentSpec, operation: string): string {
  return `${spec.name}-${operation.slice(0, 8)}`
}

df.app.orchestration(ORCHESTRATION.upgrade, upgrade)
