/** When a key was deleted. Times are whole seconds since the epoch, but for the last two. */
export interface Deletion {
  readonly deletedDate: number
  readonly scheduledPurgeDate: number
  /** Under a fault plan: when the deletion is over, and, once it is to come back, when it is. Milliseconds. */
  readonly settledAt?: number
  readonly recoveredAt?: number
}

/**
 * Where a key stands between being there and being deleted. A vault takes its time over either way, in which the name is
 * taken and the key is in neither place; without a fault plan both are over at once.
 */
export type Lifecycle = 'live' | 'deleting' | 'deleted' | 'recovering'

/** `now` in milliseconds since the epoch. */
export function lifecycleOf({ deleted }: { readonly deleted?: Deletion }, now: number): Lifecycle {
  if (deleted === undefined) return 'live'
  const { settledAt, recoveredAt } = deleted
  if (recoveredAt !== undefined) return recoveredAt > now ? 'recovering' : 'live'
  return settledAt !== undefined && settledAt > now ? 'deleting' : 'deleted'
}
