import { type Call, ok, type Reply } from '../call.ts'
import { base64Url, bytesOf } from '../encoding.ts'
import { KeyVaultError } from '../errors.ts'
import { storedKeyType } from '../rules/key-types.ts'
import { keyStoreOf } from '../rules/vault-rules.ts'
import type { StoredMaterial } from '../state.ts'
import { readBackup } from './bodies.ts'
import { journalDone, requireKey } from './lookup.ts'

/** The whole key, every version with its secret, as a blob that only this service opens. */
export async function backup(call: Call): Promise<Reply> {
  const { backups, keys } = call.parts
  const key = requireKey(call)
  const materials: Record<string, StoredMaterial> = {}
  for (const version of key.versions) materials[version.version] = keys.material(key, version)
  const blob = await backups.seal(call.vault, { key, materials })
  journalDone(call, 'backupKey', `${call.origin}/keys/${key.name}`, `${key.name} was backed up.`)
  return ok({ value: base64Url(blob) })
}

/**
 * Versions, times and names are those of the backup; the host may be another, if it may hold keys of that type: a standard
 * vault has no hardware.
 */
export async function restore(call: Call): Promise<Reply> {
  const value = readBackup(await call.body())
  const backedUp = await call.parts.backups.open(call.vault, bytesOf(value, 'value'))
  if (backedUp === undefined) throw call.personality.says.malformedBackup()
  const { materials } = backedUp
  const key = { ...backedUp.key, host: call.vault.host }
  const latest = key.versions.at(-1)!
  for (const { kty } of key.versions) storedKeyType(kty, keyStoreOf(call.vault))
  if (!call.parts.keys.restore(key, materials)) {
    const kid = `${call.origin}/keys/${key.name}/${latest.version}`
    throw new KeyVaultError(
      409,
      'Conflict',
      `There was a conflict restoring the key '${kid}'. This can happen if either: a second key with the same name was created after the first key was deleted; thus trying to restore a key whose name is already in use. To fix this, rename the second key to something else so that the restore works. The second probable cause of this exception is when multiple operations are performed in parallel against the key. To avoid this error, perform operations against a key in a sequential manner.`,
    )
  }
  journalDone(call, 'restoreKey', `${call.origin}/keys/${key.name}`, `${key.name} was restored.`)
  return ok(call.personality.keyBundle(call, key, latest))
}
