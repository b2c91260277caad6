import type { Collection, EmulatorContext } from '../../core/index.ts'

/** A long-running operation of the Key Vault provider: collection `armKeyVaultOperations`, key: its id. */
export interface KeyVaultOperation {
  readonly id: string
  readonly createdAtMs: number
  readonly doneAtMs: number
  /** What is answered once it is done; absent: the operation itself. */
  readonly resourceId?: string
}

export interface KeyVaultOperations {
  begin(resourceId?: string): KeyVaultOperation
  get(id: string): KeyVaultOperation | undefined
  isDone(operation: KeyVaultOperation): boolean
}

/** Azure takes 15 seconds for a purge and half an hour for a managed HSM; a second lets a client see both states. */
export const OPERATION_TAKES_MS = 1_000

export function openKeyVaultOperations(ctx: Pick<EmulatorContext, 'store' | 'clock' | 'random'>): KeyVaultOperations {
  const operations: Collection<KeyVaultOperation> = ctx.store.collection('armKeyVaultOperations')
  return {
    begin(resourceId) {
      const createdAtMs = ctx.clock.now()
      const operation: KeyVaultOperation = {
        id: ctx.random.bytes(39).toString('base64url'),
        createdAtMs,
        doneAtMs: createdAtMs + OPERATION_TAKES_MS,
        ...(resourceId !== undefined && { resourceId }),
      }
      operations.put(operation.id, operation)
      return operation
    },
    get: (id) => operations.get(id),
    isDone: ({ doneAtMs }) => doneAtMs <= ctx.clock.now(),
  }
}

/** `2021-11-11 03:24:49Z`, as the provider writes times of operations. */
const operationTime = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19).replace('T', ' ')}Z`

export function viewOperation({ createdAtMs, doneAtMs }: KeyVaultOperation, done: boolean) {
  const createdDateTime = operationTime(createdAtMs)
  return done
    ? { createdDateTime, lastActionDateTime: operationTime(doneAtMs), status: 'Succeeded' }
    : { createdDateTime, status: 'NotStarted' }
}
