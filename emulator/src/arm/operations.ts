import type { OperationResult } from '../aci/index.ts'
import type { Collection, EmulatorContext } from '../core/index.ts'

/** A long-running operation, as it is kept: collection `armOperations`, key: its id. */
export interface OperationRecord {
  readonly id: string
  /** ARM id of what it works on. */
  readonly resourceId: string
  readonly status: 'Pending' | 'Succeeded' | 'Failed'
  /** ISO 8601. */
  readonly startTime: string
  /** Status code of a polled `Location` once it is done: 200, or 204 without a body. */
  readonly doneStatus: number
  readonly error?: { readonly code: string; readonly message: string }
}

/** Operations that a client polls, by `Azure-AsyncOperation` or by `Location`. */
export interface Operations {
  /** Follows `work` to its end. */
  begin(resourceId: string, work: Promise<OperationResult>, doneStatus?: number): OperationRecord
  get(id: string): OperationRecord | undefined
}

export function openOperations(ctx: Pick<EmulatorContext, 'store' | 'clock' | 'random'>): Operations {
  const operations: Collection<OperationRecord> = ctx.store.collection('armOperations')
  // What was under way when the emulator ended will not go on.
  for (const [id, record] of operations.entries()) {
    if (record.status !== 'Pending') continue
    const error = { code: 'Canceled', message: 'The emulator ended before the operation did.' }
    operations.put(id, { ...record, status: 'Failed', error })
  }
  return {
    begin(resourceId, work, doneStatus = 200) {
      const startTime = new Date(ctx.clock.now()).toISOString()
      const record: OperationRecord = { id: ctx.random.uuid(), resourceId, status: 'Pending', startTime, doneStatus }
      operations.put(record.id, record)
      void work.then(
        ({ status, error }) => operations.put(record.id, { ...record, status, ...(error !== undefined && { error }) }),
        (error: unknown) =>
          operations.put(record.id, {
            ...record,
            status: 'Failed',
            error: { code: 'InternalServerError', message: String(error) },
          }),
      )
      return record
    },
    get: (id) => operations.get(id),
  }
}
