import { clients } from '../azure/clients.ts'
import { parseGroupId } from '../azure/group-id.ts'
import { done, found, refused } from '../azure/outcome.ts'
import { activity } from './activity.ts'

export interface GroupView {
  readonly provisioningState: string
  readonly state: string
  /** Containers that ended or never started, in words. */
  readonly trouble: readonly string[]
}

/** How the group stands; null when there is none of that id. */
export const readGroup = activity<{ groupId: string }, GroupView | null>('readGroup', async ({ groupId }) => {
  const id = parseGroupId(groupId)
  if (!id) return refused('ERR_GROUP_ID', `not the id of a container group: ${groupId}`)
  const group = await found(() => clients.groups(id.subscriptionId).containerGroups.get(id.resourceGroup, id.name))
  if (!group) return done(null)
  const trouble = group.containers.flatMap(({ name, instanceView }) => {
    const { currentState } = instanceView ?? {}
    if (currentState?.state !== 'Terminated' && currentState?.state !== 'Waiting') return []
    return [`${name}: ${currentState.state} ${currentState.detailStatus ?? ''} ${currentState.exitCode ?? ''}`.trim()]
  })
  return done({
    provisioningState: group.provisioningState ?? 'Unknown',
    state: group.instanceView?.state ?? 'Unknown',
    trouble,
  })
})

/** Asks for the group's removal; one that is gone already counts as removed. */
export const deleteGroup = activity<{ groupId: string }, null>('deleteGroup', async ({ groupId }) => {
  const id = parseGroupId(groupId)
  if (!id) return refused('ERR_GROUP_ID', `not the id of a container group: ${groupId}`)
  const { containerGroups } = clients.groups(id.subscriptionId)
  if (await found(() => containerGroups.get(id.resourceGroup, id.name)))
    await containerGroups.beginDelete(id.resourceGroup, id.name)
  return done(null)
})
