import {
  COLLECTIONS,
  type Collection,
  type DeletedVaultRecord,
  type EmulatorContext,
  type RoleAssignmentRecord,
  type VaultRecord,
} from '../../core/index.ts'
import type { VaultContents } from '../../keyvault/index.ts'

const DAY_MS = 86_400_000

/** What was deleted and may come back: nothing of its keys is lost before the purge. */
export interface DeletedVaults {
  find(host: string): DeletedVaultRecord | undefined
  list(kind: VaultRecord['kind']): DeletedVaultRecord[]
  /** Takes a vault away; its role assignments are gone, and do not come back with it. */
  remove(vault: VaultRecord): DeletedVaultRecord
  recover(record: DeletedVaultRecord): VaultRecord
  /** From `atMs` on, everything of it is gone for good. */
  purge(record: DeletedVaultRecord, atMs: number): void
}

export function openDeletedVaults(
  ctx: Pick<EmulatorContext, 'store' | 'clock' | 'journal'>,
  contents: Pick<VaultContents, 'purge'>,
): DeletedVaults {
  const { store, clock } = ctx
  const vaults = store.collection<VaultRecord>(COLLECTIONS.vaults)
  const deleted: Collection<DeletedVaultRecord> = store.collection(COLLECTIONS.deletedVaults)
  const assignments = store.collection<RoleAssignmentRecord>(COLLECTIONS.roleAssignments)

  /** What is past its purge goes when somebody looks: no timer can be missed while the emulator is down. */
  const unlessPurged = (record: DeletedVaultRecord | undefined) => {
    if (record === undefined) return undefined
    const { vault, scheduledPurgeMs, purgedAtMs = scheduledPurgeMs } = record
    if (Math.min(scheduledPurgeMs, purgedAtMs) > clock.now()) return record
    store.transaction(() => {
      contents.purge(vault.host)
      deleted.delete(vault.host)
    })
    ctx.journal.write({
      service: 'arm',
      operation: 'purgeVault',
      outcome: 'done',
      subject: vault.id,
      summary: `${vault.name} and everything in it is purged.`,
    })
    return undefined
  }
  return {
    find: (host) => unlessPurged(deleted.get(host)),
    list: (kind) =>
      deleted
        .values()
        .map(unlessPurged)
        .filter((record) => record !== undefined)
        .filter(({ vault }) => vault.kind === kind),
    remove(vault) {
      const now = clock.now()
      const record = { vault, deletedAtMs: now, scheduledPurgeMs: now + vault.softDeleteRetentionInDays * DAY_MS }
      store.transaction(() => {
        vaults.delete(vault.host)
        deleted.put(vault.host, record)
        for (const [key] of assignments.entries(`${vault.id.toLowerCase()}/`)) assignments.delete(key)
      })
      return record
    },
    recover({ vault }) {
      store.transaction(() => {
        deleted.delete(vault.host)
        vaults.put(vault.host, vault)
      })
      return vault
    },
    purge: (record, atMs) => deleted.put(record.vault.host, { ...record, purgedAtMs: atMs }),
  }
}
