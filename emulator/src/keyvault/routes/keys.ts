import { epochSeconds } from '../../core/index.ts'
import { has } from '../api-version.ts'
import { type Call, ok, type Reply } from '../call.ts'
import { forbidden } from '../errors.ts'
import { keyId } from '../personality/views.ts'
import { requireReachableAuthorities } from '../release/reachable-authorities.ts'
import { settleUpdate } from '../rules/export-rules.ts'
import { settleKeyOps } from '../rules/key-types.ts'
import type { Deletion } from '../rules/lifecycle.ts'
import { keyStoreOf, SECONDS_PER_DAY } from '../rules/vault-rules.ts'
import { type KeyVersion, withVersion } from '../state.ts'
import { readUpdate } from './bodies.ts'
import { journalDone, requireDeletedKey, requireKey, requireVersion } from './lookup.ts'
import { listPage } from './paging.ts'

/** What is read of a key, changed on it, and how it is deleted and comes back. */

export function get(call: Call): Reply {
  const { key, version } = requireVersion(call)
  return ok(call.personality.keyBundle(call, key, version))
}

export function list(call: Call): Reply {
  return listPage(
    call,
    (from, limit) => call.parts.keys.page(call.vault.host, 'live', from, limit),
    ({ name }) => name.toLowerCase(),
    (key) => call.personality.keyItem(call, key, key.versions.at(-1)!, false),
  )
}

/** An unknown key has no versions, which is not an error. */
export function listVersions(call: Call): Reply {
  const key = call.parts.keys.find(call.vault.host, call.target.name!)
  if (key === undefined || key.deleted) return ok(call.personality.page([], undefined))
  const versions = key.versions.toSorted((a, b) => (a.version < b.version ? -1 : 1))
  return listPage(
    call,
    (from, limit) => versions.filter(({ version }) => version >= from).slice(0, limit),
    ({ version }) => version,
    (version) => call.personality.keyItem(call, key, version, true),
  )
}

export async function update(call: Call): Promise<Reply> {
  const fields = readUpdate(await call.body())
  // Before the key is looked at: nothing may come between that and the change.
  await requireReachableAuthorities(call, fields.releasePolicy)
  // A key that is not there at all is named without the version that was asked for.
  requireKey(call)
  const { key, version } = requireVersion(call)
  const rule = settleUpdate(
    {
      store: keyStoreOf(call.vault),
      exportable: fields.exportable,
      policy: has(call.apiVersion, 'release') ? fields.releasePolicy : undefined,
      versioned: call.target.version !== undefined,
    },
    key,
  )
  const { tags: oldTags, ...rest } = version
  const tags = fields.tags ?? oldTags
  const changed: KeyVersion = {
    ...rest,
    ...(fields.keyOps === undefined
      ? {}
      : { keyOps: settleKeyOps(fields.keyOps, version.kty, keyStoreOf(call.vault)) }),
    ...(fields.enabled === undefined ? {} : { enabled: fields.enabled }),
    ...(fields.notBefore === undefined ? {} : { notBefore: fields.notBefore }),
    ...(fields.expires === undefined ? {} : { expires: fields.expires }),
    ...(tags === undefined ? {} : { tags }),
    updated: epochSeconds(call.parts.ctx.clock),
  }
  const updated = withVersion({ ...key, ...rule }, changed)
  call.parts.keys.put(updated)
  journalDone(call, 'updateKey', keyId(call, key, version), `${key.name} was updated.`)
  return ok(call.personality.keyBundle(call, updated, changed))
}

/** Soft delete: the key and all its versions can come back until the retention is over. */
export function remove(call: Call): Reply {
  const key = requireKey(call)
  const deletedDate = epochSeconds(call.parts.ctx.clock)
  const scheduledPurgeDate = deletedDate + call.vault.softDeleteRetentionInDays * SECONDS_PER_DAY
  const settled = settledIn(call, 'deletionDelayMs')
  const deleted = {
    ...key,
    deleted: { deletedDate, scheduledPurgeDate, ...(settled === undefined ? {} : { settledAt: settled }) },
  }
  call.parts.keys.put(deleted)
  journalDone(call, 'deleteKey', `${call.origin}/keys/${key.name}`, `${key.name} was deleted; it can be recovered.`)
  return ok(call.personality.deletedKeyBundle(call, deleted))
}

/** When the fault plan lets what a vault begins now be over; undefined: at once. */
function settledIn(call: Call, delay: 'deletionDelayMs' | 'recoveryDelayMs' | 'purgeDelayMs'): number | undefined {
  const { clock, faults } = call.parts.ctx
  const wait = faults.keyVault?.[delay] ?? 0
  return wait > 0 && call.vault.kind === 'vault' ? clock.now() + wait : undefined
}

export function listDeleted(call: Call): Reply {
  return listPage(
    call,
    (from, limit) => call.parts.keys.page(call.vault.host, 'deleted', from, limit),
    ({ name }) => name.toLowerCase(),
    (key) => call.personality.deletedKeyItem(call, key),
  )
}

export function getDeleted(call: Call): Reply {
  return ok(call.personality.deletedKeyBundle(call, requireDeletedKey(call)))
}

export function recover(call: Call): Reply {
  const { deleted, ...key } = requireDeletedKey(call)
  const recoveredAt = settledIn(call, 'recoveryDelayMs')
  call.parts.keys.put(recoveredAt === undefined ? key : { ...key, deleted: { ...deleted!, recoveredAt } })
  journalDone(call, 'recoverKey', `${call.origin}/keys/${key.name}`, `${key.name} was recovered.`)
  return ok(call.personality.keyBundle(call, key, key.versions.at(-1)!))
}

export function purge(call: Call): Reply {
  const key = requireDeletedKey(call)
  if (call.vault.enablePurgeProtection) {
    throw forbidden(
      `Operation "purge" is not allowed because purge protection is enabled for this vault. Key Vault service will automatically purge it after the retention period has passed.\r\nVault: ${call.vault.name};location=${call.vault.location}`,
    )
  }
  const gone = settledIn(call, 'purgeDelayMs')
  if (gone === undefined) call.parts.keys.purge(key)
  else call.parts.keys.put({ ...key, deleted: purgedAt(key.deleted!, gone) })
  journalDone(call, 'purgeKey', `${call.origin}/keys/${key.name}`, `${key.name} was purged for good.`)
  return { status: 204 }
}

/** Until its last second a key that is being purged is in neither place, and its name is taken. */
function purgedAt(deleted: Deletion, gone: number): Deletion {
  const scheduledPurgeDate = Math.ceil(gone / 1000)
  return { ...deleted, scheduledPurgeDate, settledAt: scheduledPurgeDate * 1000 }
}
