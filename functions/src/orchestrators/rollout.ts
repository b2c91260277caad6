import {
  cancelDeployment,
  isTerminal,
  readDeployment,
  startDeployment,
  validateTemplate,
} from '../activities/deployment.ts'
import { readGroup } from '../activities/group.ts'
import type { Challenge } from '../activities/proof.ts'
import { makeChallenge, readProof } from '../activities/proof.ts'
import { sameId } from '../azure/group-id.ts'
import { done, type Outcome, refused } from '../azure/outcome.ts'
import type { DeploymentSpec, KeyReference } from '../deployment/record.ts'
import { withProof } from '../deployment/template.ts'
import type { Steps, Story } from './story.ts'

/** What one run hands to ARM. */
export interface Rollout {
  readonly spec: DeploymentSpec
  readonly key: KeyReference
  /** Name of the ARM deployment, one for each rollout. */
  readonly deploymentName: string
  /** Names the run of the orchestration; the ARM deployment carries it as a tag. */
  readonly operation: string
}

/**
 * Lets ARM check a template before anything is made for it.
 * @param standing ARM id of the group that the template must replace; absent: it must make a new one
 * @returns ARM id of the group that the template makes, where ARM says so
 */
export function* checkTemplate(
  story: Story,
  spec: DeploymentSpec,
  deploymentName: string,
  standing?: string,
): Steps<Outcome<string | undefined>> {
  const { subscriptionId, resourceGroup, template, parameters } = spec
  const checked = yield* story.call(validateTemplate, {
    subscriptionId,
    resourceGroup,
    deploymentName,
    template,
    parameters,
  })
  if (!checked.ok) return checked
  const { groupId } = checked.value
  if (groupId === undefined) return done(undefined)
  if (standing !== undefined) {
    if (sameId(groupId, standing)) return done(groupId)
    return refused('ERR_GROUP_CHANGED', `the template makes ${groupId}; an upgrade replaces ${standing}`)
  }
  const read = yield* story.call(readGroup, { groupId })
  if (!read.ok) return read
  if (read.value === null) return done(groupId)
  return refused('ERR_GROUP_EXISTS', `container group ${groupId} exists and was not made by this deployment`)
}

/**
 * Brings a group up with a challenge for one key version and sees the challenge answered: what provision, upgrade and
 * rotate have in common.
 */
export function* rollOut(story: Story, rollout: Rollout): Steps<void> {
  const { spec, key } = rollout
  const challenge = yield* story.step(
    'challenge',
    story.call(makeChallenge, { key, kty: spec.key.kty }),
    ({ keyVersion }) => `a ciphertext under version ${keyVersion}`,
  )
  const groupId = yield* story.step('deploy', deploy(story, rollout, challenge), (id) => id)
  story.learn({ group: { id: groupId, state: 'Pending' } })
  const state = yield* story.step('run', untilRunning(story, groupId))
  story.learn({ group: { id: groupId, state } })
  const container = spec.reading.keyReleaseContainer
  const provenAt = yield* story.step(
    'prove release',
    untilProven(story, groupId, container, challenge),
    () => `the digest appeared in the log of ${container}`,
  )
  story.learn({ proof: { keyVersion: key.version, plaintextSha256: challenge.plaintextSha256, container, provenAt } })
}

function* deploy(story: Story, rollout: Rollout, challenge: Challenge): Steps<Outcome<string>> {
  const { spec, deploymentName, operation } = rollout
  const { subscriptionId, resourceGroup, parameters } = spec
  const name = { subscriptionId, resourceGroup, deploymentName }
  const template = withProof(spec.template, spec.reading, challenge.variable)
  const started = yield* story.call(startDeployment, { ...name, template, parameters, operation })
  if (!started.ok) return started
  const since = story.now()
  for (;;) {
    const read = yield* story.call(readDeployment, name)
    if (!read.ok) return read
    const { state, failure, groupId } = read.value
    if (/^succeeded$/i.test(state)) {
      return groupId ? done(groupId) : refused('ERR_TEMPLATE_GROUP', 'the deployment made no container group')
    }
    if (isTerminal(state)) return refused('ERR_DEPLOYMENT', failure ?? `the deployment ended as ${state}`)
    if (story.elapsed(since, story.pace.runningTimeoutSeconds)) {
      yield* story.call(cancelDeployment, name)
      return refused(
        'ERR_DEPLOYMENT_TIMEOUT',
        `the deployment is still ${state} after ${story.pace.runningTimeoutSeconds} s`,
      )
    }
    yield* story.pause()
  }
}

function* untilRunning(story: Story, groupId: string): Steps<Outcome<string>> {
  const since = story.now()
  for (;;) {
    const read = yield* story.call(readGroup, { groupId })
    if (!read.ok) return read
    if (read.value === null) return refused('ResourceNotFound', 'the container group is gone')
    const { provisioningState, state, trouble } = read.value
    if (state === 'Running' && /^succeeded$/i.test(provisioningState)) return done(state)
    if (/^failed$/i.test(provisioningState) || state === 'Failed' || state === 'Stopped') {
      return refused('ERR_GROUP_FAILED', [`the group is ${state} (${provisioningState})`, ...trouble].join('; '))
    }
    if (story.elapsed(since, story.pace.runningTimeoutSeconds)) {
      return refused('ERR_GROUP_TIMEOUT', `the group is still ${state} after ${story.pace.runningTimeoutSeconds} s`)
    }
    yield* story.pause()
  }
}

function* untilProven(story: Story, groupId: string, container: string, challenge: Challenge): Steps<Outcome<string>> {
  const since = story.now()
  let refusals = 0
  for (;;) {
    const read = yield* story.call(readProof, { groupId, container, plaintextSha256: challenge.plaintextSha256 })
    if (!read.ok) return read
    if (read.value.proven) return done(story.now().toISOString())
    if (read.value.refusal !== undefined) refusals += 1
    if (refusals >= story.pace.proofRefusals)
      return refused('ERR_RELEASE_REFUSED', read.value.refusal ?? 'release refused')
    if (story.elapsed(since, story.pace.proofTimeoutSeconds)) {
      const reason = read.value.refusal ?? 'the container said nothing of a release'
      return refused('ERR_PROOF_TIMEOUT', `no proof after ${story.pace.proofTimeoutSeconds} s: ${reason}`)
    }
    yield* story.pause()
  }
}
