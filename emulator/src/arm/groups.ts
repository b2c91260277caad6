import type { Collection, EmulatorContext } from '../core/index.ts'
import { groupId } from './address.ts'
import { ArmError, armErrors } from './error.ts'

/** A resource group, as it is kept: collection `armResourceGroups`, key: its lower-case id. */
export interface ResourceGroupRecord {
  readonly id: string
  readonly name: string
  readonly location: string
  readonly tags?: Readonly<Record<string, string>>
  readonly deleting?: boolean
}

export interface ResourceGroups {
  get(subscriptionId: string, name: string): ResourceGroupRecord | undefined
  /** @throws ArmError 404 ResourceGroupNotFound, 409 when it is being deleted */
  require(subscriptionId: string, name: string): ResourceGroupRecord
  list(subscriptionId: string): ResourceGroupRecord[]
  /** Makes the group or changes its tags; its location stays. */
  put(subscriptionId: string, name: string, change: GroupChange): { record: ResourceGroupRecord; created: boolean }
  markDeleting(record: ResourceGroupRecord): void
  delete(record: ResourceGroupRecord): void
}

export interface GroupChange {
  readonly location: string
  readonly tags?: Readonly<Record<string, string>>
}

export function openResourceGroups(ctx: Pick<EmulatorContext, 'store'>): ResourceGroups {
  const groups: Collection<ResourceGroupRecord> = ctx.store.collection('armResourceGroups')
  const keyOf = (subscriptionId: string, name: string) => groupId(subscriptionId, name).toLowerCase()
  const get = (subscriptionId: string, name: string) => groups.get(keyOf(subscriptionId, name))
  return {
    get,
    require(subscriptionId, name) {
      const record = get(subscriptionId, name)
      if (record === undefined) throw armErrors.resourceGroupNotFound(name)
      if (record.deleting) {
        throw new ArmError(409, {
          code: 'ResourceGroupBeingDeleted',
          message: `The resource group '${name}' is in deprovisioning state and cannot perform this operation.`,
        })
      }
      return record
    },
    list: (subscriptionId) => groups.values(`/subscriptions/${subscriptionId.toLowerCase()}/`),
    put(subscriptionId, name, { location, tags }) {
      const before = get(subscriptionId, name)
      if (before !== undefined && before.location !== location) {
        throw new ArmError(409, {
          code: 'InvalidResourceGroupLocation',
          message: `Invalid resource group location '${location}'. The Resource group already exists in location '${before.location}'.`,
        })
      }
      const kept = tags ?? before?.tags
      const record: ResourceGroupRecord = {
        id: before?.id ?? groupId(subscriptionId, name),
        name: before?.name ?? name,
        location,
        ...(kept !== undefined && { tags: kept }),
      }
      groups.put(keyOf(subscriptionId, name), record)
      return { record, created: before === undefined }
    },
    markDeleting: (record) => groups.put(record.id.toLowerCase(), { ...record, deleting: true }),
    delete: (record) => void groups.delete(record.id.toLowerCase()),
  }
}

export function viewGroup(record: ResourceGroupRecord) {
  const { id, name, location, tags, deleting } = record
  return {
    id,
    name,
    type: 'Microsoft.Resources/resourceGroups',
    location,
    ...(tags !== undefined && { tags }),
    properties: { provisioningState: deleting ? 'Deleting' : 'Succeeded' },
  }
}
