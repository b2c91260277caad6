import type { KeyRecord } from '../state.ts'

/**
 * Where a key stands between being there and being deleted. A vault takes its time over either way, in which the name is
 * taken and the key is in neither place; without a fault plan both are over at once.
 */
export type Lifecycle = 'live' | 'deleting' | 'deleted' | 'recovering'

/** `now` in milliseconds since the epoch. */
export function lifecycleOf({ deleted }: Pick<KeyRecord, 'deleted'>, now: number): Lifecycle {
  if (deleted === undefined) return 'live'
  const { settledAt, recoveredAt } = deleted
  if (recoveredAt !== undefined) return recoveredAt > now ? 'recovering' : 'live'
  return settledAt !== undefined && settledAt > now ? 'deleting' : 'deleted'
}
