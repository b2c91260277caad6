import { COLLECTIONS, type Collection, type ContainerGroupIdentityRecord, type Store } from '../core/index.ts'
import { withoutTrailing } from '../core/trim-end.ts'
import { withEvent } from './container-run.ts'
import type { ContainerEvent, ContainerGroupRecord } from './types.ts'

/** What is kept of container groups: the groups themselves and, for IMDS, which identities each of them has. */
export interface GroupState {
  get(id: string): ContainerGroupRecord | undefined
  list(scope: string): ContainerGroupRecord[]
  put(record: ContainerGroupRecord): void
  /** Changes a group that is still there; undefined when it is gone. */
  change(id: string, change: (record: ContainerGroupRecord) => ContainerGroupRecord): ContainerGroupRecord | undefined
  addEvent(id: string, event: Pick<ContainerEvent, 'name' | 'message' | 'type'>, time: string): void
  delete(id: string): void
}

export function keyOf(id: string): string {
  return id.toLowerCase()
}

export function openGroupState(store: Store): GroupState {
  const groups: Collection<ContainerGroupRecord> = store.collection('containerGroups')
  const identities: Collection<ContainerGroupIdentityRecord> = store.collection(COLLECTIONS.containerGroupIdentities)
  const put = (record: ContainerGroupRecord) => {
    const { identity } = record.spec
    store.transaction(() => {
      groups.put(keyOf(record.id), record)
      identities.put(keyOf(record.id), {
        groupId: record.id,
        userAssigned: (identity?.userAssigned ?? []).map((id) => id.toLowerCase()),
        ...(identity?.principalId !== undefined && { systemAssignedPrincipalId: identity.principalId }),
      })
    })
  }
  const change: GroupState['change'] = (id, update) => {
    const record = groups.get(keyOf(id))
    if (record === undefined) return undefined
    const next = update(record)
    put(next)
    return next
  }
  return {
    get: (id) => groups.get(keyOf(id)),
    list: (scope) => groups.values(`${withoutTrailing(keyOf(scope), '/')}/`),
    put,
    change,
    addEvent(id, event, time) {
      change(id, (record) => ({ ...record, events: withEvent(record.events, event, time) }))
    },
    delete(id) {
      store.transaction(() => {
        groups.delete(keyOf(id))
        identities.delete(keyOf(id))
      })
    },
  }
}
