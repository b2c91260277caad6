import type { Call } from '../call.ts'
import type { KeyVaultError } from '../errors.ts'
import { lifecycleOf } from '../rules/lifecycle.ts'
import { type KeyRecord, type KeyVersion, versionOf } from '../state.ts'

/** The live key and version that a call names; 404 in the personality's words otherwise. */
export function requireVersion(call: Call): { key: KeyRecord; version: KeyVersion } {
  const { name = '', version: asked } = call.target
  const key = call.parts.keys.find(call.vault.host, name)
  const version = key === undefined || key.deleted !== undefined ? undefined : versionOf(key, asked)
  if (key !== undefined && version !== undefined) return { key, version }
  throw call.personality.says.keyNotFound(call, name, asked === undefined ? {} : { version: asked })
}

/** The live key; its versions are the caller's business. */
export function requireKey(call: Call, about: { rotating?: boolean } = {}): KeyRecord {
  const { name = '' } = call.target
  const key = call.parts.keys.find(call.vault.host, name)
  if (key !== undefined && key.deleted === undefined) return key
  throw call.personality.says.keyNotFound(call, name, about)
}

/** The deleted key; one that is only on its way there or back is not found. */
export function requireDeletedKey(call: Call): KeyRecord {
  const { name = '' } = call.target
  const key = call.parts.keys.find(call.vault.host, name)
  if (key !== undefined && lifecycleOf(key, call.parts.ctx.clock.now()) === 'deleted') return key
  throw call.personality.says.deletedKeyNotFound(call, name)
}

/** The complaint about a key whose name a deleted one still has. */
export function nameTaken(call: Call, key: KeyRecord): KeyVaultError {
  const { says } = call.personality
  const lifecycle = lifecycleOf(key, call.parts.ctx.clock.now())
  if (lifecycle === 'deleting') return says.beingDeleted()
  return lifecycle === 'recovering' ? says.beingRecovered() : says.nameInUse(key.name)
}

/** Writes to the journal what was done to a key. */
export function journalDone(call: Call, operation: string, subject: string, summary: string): void {
  call.parts.ctx.journal.write({
    service: call.personality.service,
    operation,
    outcome: 'done',
    subject,
    summary,
    answer: { status: 200, requestId: call.requestId },
    details: { principalId: call.principal.objectId },
  })
}
