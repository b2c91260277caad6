import { isTerminal, readDeployment, readGroup, startDeployment } from '../activities/group.ts'
import type { Challenge } from '../activities/proof.ts'
import { makeChallenge, readProof } from '../activities/proof.ts'
import { done, type Outcome, refused } from '../azure/outcome.ts'
import type { DeploymentSpec, KeyReference } from '../deployment/record.ts'
import { withProof } from '../deployment/template.ts'
import type { Steps, Story } from './story.ts'

/**
 * Brings a group up with a challenge for one key version and sees the challenge answered: what provision, upgrade and
 * rotate have in common.
 * @param deploymentName name of the ARM deployment, one for each rollout
 */
export function* rollOut(story: Story, spec: DeploymentSpec, key: KeyReference, deploymentName: string): Steps<void> {
  const challenge = yield* story.step(
    'challenge',
    story.call(makeChallenge, { key, kty: spec.key.kty }),
    ({ keyVersion }) => `a ciphertext under version ${keyVersion}`,
  )
  const groupId = yield* story.step('deploy', deploy(story, spec, challenge, deploymentName), (id) => id)
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

function* deploy(
  story: Story,
  spec: DeploymentSpec,
  challenge: Challenge,
  deploymentName: string,
): Steps<Outcome<string>> {
  const { subscriptionId, resourceGroup, parameters } = spec
  const template = withProof(spec.template, spec.reading, challenge.variable)
  const started = yield* story.call(startDeployment, {
    subscriptionId,
    resourceGroup,
    deploymentName,
    template,
    parameters,
  })
  if (!started.ok) return started
  const since = story.now()
  for (;;) {
    const read = yield* story.call(readDeployment, { subscriptionId, resourceGroup, deploymentName })
    if (!read.ok) return read
    const { state, failure, groupId } = read.value
    if (/^succeeded$/i.test(state)) {
      return groupId ? done(groupId) : refused('ERR_TEMPLATE_GROUP', 'the deployment made no container group')
    }
    if (isTerminal(state)) return refused('ERR_DEPLOYMENT', failure ?? `the deployment ended as ${state}`)
    if (story.elapsed(since, story.pace.runningTimeoutSeconds)) {
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
