import * as df from 'durable-functions'
import type { Pace } from '../settings.ts'
import type { Activity } from './activity.ts'
import { cancelDeployment, readDeployment, startDeployment, validateTemplate } from './deployment.ts'
import { deleteGroup, readGroup } from './group.ts'
import { ensureIdentity, removeIdentity } from './identity.ts'
import { ensureKey, removeKey, rotateKey, updateReleasePolicy } from './key.ts'
import { digestCcePolicy } from './policy.ts'
import { makeChallenge, readProof } from './proof.ts'
import { assignReleaseRole, removeRole } from './role.ts'
import { START_ROTATION, startRotation } from './start-rotation.ts'
import { checkResourceGroup, findVault } from './vault.ts'

// Registered here and not where they are written, so that a test may run one where there is no Functions host.
const ACTIVITIES: readonly Activity<never, unknown>[] = [
  assignReleaseRole,
  cancelDeployment,
  checkResourceGroup,
  deleteGroup,
  digestCcePolicy,
  ensureIdentity,
  ensureKey,
  findVault,
  makeChallenge,
  readDeployment,
  readGroup,
  readProof,
  removeIdentity,
  removeKey,
  removeRole,
  rotateKey,
  startDeployment,
  updateReleasePolicy,
  validateTemplate,
]

for (const { name, run } of ACTIVITIES) df.app.activity(name, { handler: (input: unknown) => run(input as never) })

// The one activity that acts on the task hub and not on Azure.
df.app.activity(START_ROTATION, {
  extraInputs: [df.input.durableClient()],
  handler: (input: { name: string; pace: Pace }, context) => startRotation(df.getClient(context), input),
})
