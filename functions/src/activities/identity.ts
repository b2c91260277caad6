import { clients } from '../azure/clients.ts'
import { DEPLOYMENT_TAG } from '../azure/operation-id.ts'
import { done, found, refused } from '../azure/outcome.ts'
import type { IdentityReference } from '../deployment/record.ts'
import { parseIdentityId } from '../deployment/template.ts'
import { activity } from './activity.ts'

/** Finds the user-assigned identity, or makes it, tagged with the deployment, so that a repetition knows it as its own. */
export const ensureIdentity = activity<{ identityId: string; location: string; deployment: string }, IdentityReference>(
  'ensureIdentity',
  async ({ identityId, location, deployment }) => {
    const id = parseIdentityId(identityId)
    if (!id) return refused('ERR_TEMPLATE_IDENTITY', `not the id of a user-assigned identity: ${identityId}`)
    const { userAssignedIdentities } = clients.identities(id.subscriptionId)
    const existing = await found(() => userAssignedIdentities.get(id.resourceGroup, id.name))
    const identity =
      existing ??
      (await userAssignedIdentities.createOrUpdate(id.resourceGroup, id.name, {
        location,
        tags: { [DEPLOYMENT_TAG]: deployment },
      }))
    if (!identity.principalId || !identity.clientId)
      return refused('ERR_AZURE', `identity ${id.name} has no principal yet`)
    return done({
      id: identity.id ?? identityId,
      principalId: identity.principalId,
      clientId: identity.clientId,
      created: identity.tags?.[DEPLOYMENT_TAG] === deployment,
    })
  },
)

/** Removes an identity that this deployment made; one that is gone already counts as removed. */
export const removeIdentity = activity<{ identity: IdentityReference }, null>(
  'removeIdentity',
  async ({ identity }) => {
    const id = parseIdentityId(identity.id)
    if (!identity.created || !id) return done(null)
    const { userAssignedIdentities } = clients.identities(id.subscriptionId)
    if (await found(() => userAssignedIdentities.get(id.resourceGroup, id.name))) {
      await userAssignedIdentities.delete(id.resourceGroup, id.name)
    }
    return done(null)
  },
)
