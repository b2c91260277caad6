import * as df from 'durable-functions'
import { ensureIdentity } from '../activities/identity.ts'
import { ensureKey } from '../activities/key.ts'
import { digestCcePolicy } from '../activities/policy.ts'
import { assignReleaseRole } from '../activities/role.ts'
import { checkResourceGroup, findVault } from '../activities/vault.ts'
import { ORCHESTRATION } from '../deployment/names.ts'
import type { DeploymentSpec } from '../deployment/record.ts'
import { releasePolicyOf } from '../deployment/release-policy.ts'
import type { Pace } from '../settings.ts'
import { checkTemplate, rollOut } from './rollout.ts'
import { failureOf, StepFailed, type Steps, Story } from './story.ts'
import { undo } from './undo.ts'

export interface ProvisionInput {
  readonly spec: DeploymentSpec
  readonly pace: Pace
  /** Names this run; the key version it makes carries it as a tag. */
  readonly operation: string
}

/** From a template and a key's description to a group that has shown that it holds the key; all of it, or none. */
export function* provision(context: df.OrchestrationContext): Steps<{ phase: string }> {
  const { spec, pace, operation } = context.df.getInput<ProvisionInput>()!
  const story = new Story(context, pace, {
    spec,
    phase: 'Provisioning',
    operation: 'provision',
    effects: {},
    steps: [],
    rotations: [],
    updatedAt: context.df.currentUtcDateTime.toISOString(),
  })
  yield* story.save()
  try {
    yield* build(story, spec, operation)
    yield* rollOut(story, { spec, key: story.effects.key!, deploymentName: spec.name, operation })
    story.amend({ phase: 'Running', keyVersionSince: story.now().toISOString() })
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error
    story.amend({ phase: 'Undoing', failure: failureOf(error) })
    yield* takeBack(story)
    story.amend({ phase: 'Failed' })
  }
  yield* story.save()
  return { phase: story.record.phase }
}

function* build(story: Story, spec: DeploymentSpec, operation: string): Steps<void> {
  const { subscriptionId, resourceGroup, location, name, key } = spec
  yield* story.step(
    'check resource group',
    story.call(checkResourceGroup, { subscriptionId, resourceGroup }),
    () => resourceGroup,
  )
  const vault = yield* story.step(
    'find vault',
    story.call(findVault, { subscriptionId, vaultHost: key.vaultHost }),
    ({ id }) => id,
  )
  story.learn({ vault })
  const identity = yield* story.step(
    'identity',
    story.call(ensureIdentity, { identityId: spec.reading.identityId, location, deployment: name }),
    ({ created, clientId }) => `${created ? 'created' : 'found'}, client id ${clientId}`,
  )
  story.learn({ identity })
  const role = yield* story.step(
    'release role',
    story.call(assignReleaseRole, {
      subscriptionId,
      vault,
      keyName: key.name,
      principalId: identity.principalId,
      deployment: name,
    }),
    ({ roleName, scope }) => `${roleName} on ${scope}`,
  )
  story.learn({ role })
  // After the identity, which the template names: what ARM cannot deploy ends here, before there is a key.
  const groupId = yield* story.step('check template', checkTemplate(story, spec, name), (id) => id ?? 'valid')
  const { hostData } = yield* story.step(
    'digest CCE policy',
    story.call(digestCcePolicy, { ccePolicy: spec.reading.ccePolicy }),
    (digest) => `host data ${digest.hostData}`,
  )
  const releasePolicy = releasePolicyOf(key, [hostData])
  story.learn({ hostData, releasePolicy })
  const made = yield* story.step(
    'key',
    story.call(ensureKey, { vault, key, releasePolicy, deployment: name, operation }),
    ({ id }) => id,
  )
  story.learn({ key: made })
  // From here on a group of that id is this deployment's, however far its making gets.
  if (groupId !== undefined) story.learn({ group: { id: groupId, state: 'Planned' } })
}

/** Undo in reverse; what cannot be undone is told, and does not hide the first failure. */
function* takeBack(story: Story): Steps<void> {
  try {
    story.amend({ remains: yield* undo(story, { purge: false }) })
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error
    story.amend({ remains: [`undoing stopped at '${error.step}': ${error.message}`] })
  }
}

df.app.orchestration(ORCHESTRATION.provision, provision)
