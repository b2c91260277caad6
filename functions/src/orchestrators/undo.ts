import { deleteGroup, readGroup } from '../activities/group.ts'
import { removeIdentity } from '../activities/identity.ts'
import { removeKey } from '../activities/key.ts'
import { removeRole } from '../activities/role.ts'
import { done, type Outcome, refused } from '../azure/outcome.ts'
import { standing } from '../deployment/standing.ts'
import type { Steps, Story } from './story.ts'

/**
 * Takes away what the story made, last thing first, and only what it made and has not taken away before. Returns, in
 * words, what is left behind on purpose. Each thing is gone when it was seen gone.
 */
export function* undo(story: Story, options: { purge: boolean }): Steps<string[]> {
  const remains: string[] = []
  const { group, role, identity, key, vault } = story.effects
  const { subscriptionId } = story.record.spec
  const stands = standing(story.effects)

  if (group && stands.includes('group')) {
    yield* story.step('remove group', untilGroupGone(story, group.id), () => 'gone')
    story.forget('group', { group: { id: group.id, state: 'Deleted' } })
  }
  if (key?.created && vault) {
    const { state, scheduledPurgeDate } = yield* story.step(
      'remove key',
      untilKeyGone(story, options.purge, !stands.includes('key')),
      (end) => end.state,
    )
    story.forget('key')
    if (state === 'deleted') {
      remains.push(
        `key ${key.name} is soft-deleted in ${story.record.spec.key.vaultHost}${scheduledPurgeDate ? `, purged on ${scheduledPurgeDate}` : ''}`,
      )
    }
  } else if (key) {
    remains.push(`key ${key.name} was there before this deployment`)
  }
  if (role && stands.includes('role')) {
    yield* story.step('remove role', story.call(removeRole, { subscriptionId, role }), () => 'removed')
    story.forget('role')
  } else if (role && !role.created) {
    remains.push(`role ${role.roleName} was assigned before this deployment`)
  }
  if (identity && stands.includes('identity')) {
    yield* story.step('remove identity', story.call(removeIdentity, { identity }), () => 'removed')
    story.forget('identity')
  } else if (identity && !identity.created) {
    remains.push(`identity ${identity.id} was there before this deployment`)
  }
  return remains
}

function* untilGroupGone(story: Story, groupId: string): Steps<Outcome<null>> {
  const asked = yield* story.call(deleteGroup, { groupId })
  if (!asked.ok) return asked
  const since = story.now()
  for (;;) {
    const read = yield* story.call(readGroup, { groupId })
    if (!read.ok) return read
    if (read.value === null) return done(null)
    if (story.elapsed(since, story.pace.runningTimeoutSeconds))
      return refused('ERR_GROUP_TIMEOUT', 'the group does not go away')
    yield* story.pause()
  }
}

function* untilKeyGone(
  story: Story,
  purge: boolean,
  deletedBefore: boolean,
): Steps<ReturnType<typeof removeKey.run> extends Promise<infer O> ? O : never> {
  const { key, vault } = story.effects
  if (!key || !vault) return refused('ERR_KEY_UNKNOWN', 'no key is recorded')
  const since = story.now()
  for (;;) {
    const removed = yield* story.call(removeKey, { vault, key, purge, deletedBefore })
    if (!removed.ok || removed.value.state !== 'deleting') return removed
    if (story.elapsed(since, story.pace.runningTimeoutSeconds))
      return refused('ERR_KEY_TIMEOUT', 'the vault does not finish deleting the key')
    yield* story.pause()
  }
}
