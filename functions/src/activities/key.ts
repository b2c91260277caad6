import type { CreateKeyOptions, KeyClient, KeyVaultKey } from '@azure/keyvault-keys'
import type { ReleasePolicy } from '@skerry/guest/wire'
import { clients } from '../azure/clients.ts'
import { DEPLOYMENT_TAG, OPERATION_TAG } from '../azure/operation-id.ts'
import { done, found, type Outcome, refused } from '../azure/outcome.ts'
import type { KeyReference, KeySpec, VaultReference } from '../deployment/record.ts'
import { encodeReleasePolicy } from '../deployment/release-policy.ts'
import { activity } from './activity.ts'

interface EnsureKeyInput {
  readonly vault: VaultReference
  readonly key: KeySpec
  readonly releasePolicy: ReleasePolicy
  readonly deployment: string
  /** Names this run: a repetition finds the version that carries it as a tag, and makes no second one. */
  readonly operation: string
}

/**
 * Makes the key inside the vault, exportable, under the release policy. The private part never passes through here.
 * A key of that name which another hand made is refused, never changed.
 */
export const ensureKey = activity<EnsureKeyInput, KeyReference>(
  'ensureKey',
  async ({ vault, key, releasePolicy, deployment, operation }) => {
    const client = clients.keys(vault.url)
    const existing = await found(() => client.getKey(key.name))
    if (existing) {
      if (existing.properties.tags?.[OPERATION_TAG] === operation) return done(referenceOf(existing, true))
      return refused('ERR_KEY_EXISTS', `key ${key.name} exists in ${key.vaultHost} and was not made by this deployment`)
    }
    const options: CreateKeyOptions & { hsm: true } = {
      hsm: true,
      exportable: true,
      releasePolicy: { encodedPolicy: encodeReleasePolicy(releasePolicy) },
      tags: { [DEPLOYMENT_TAG]: deployment, [OPERATION_TAG]: operation },
    }
    return done(referenceOf(await createByType(client, key, options), true))
  },
)

function createByType(
  client: KeyClient,
  key: KeySpec,
  options: CreateKeyOptions & { hsm: true },
): Promise<KeyVaultKey> {
  return key.kty === 'oct-HSM'
    ? client.createOctKey(key.name, { ...options, keySize: 256 })
    : client.createRsaKey(key.name, { ...options, keySize: 2048 })
}

interface RotateInput {
  readonly vault: VaultReference
  readonly keyName: string
  /** The version that was the latest when the rotation was decided. */
  readonly fromVersion: string
}

/** A new version of the key. When the latest version is not `fromVersion` any more, it was made by an earlier delivery. */
export const rotateKey = activity<RotateInput, KeyReference>('rotateKey', async ({ vault, keyName, fromVersion }) => {
  const client = clients.keys(vault.url)
  const latest = await client.getKey(keyName)
  if (latest.properties.version !== fromVersion) return done(referenceOf(latest, true))
  const rotated = vault.kind === 'vault' ? await client.rotateKey(keyName) : await createVersionLike(client, latest)
  return done(referenceOf(rotated, true))
})

/**
 * A managed HSM rotates on demand only a key with a rotation policy, which would then rotate it by itself as well. A new
 * version of the same type and size inherits exportability and release policy in the same way.
 */
function createVersionLike(client: KeyClient, { key, name, keyType, properties }: KeyVaultKey): Promise<KeyVaultKey> {
  const options: CreateKeyOptions & { hsm: true } = {
    hsm: true,
    exportable: true,
    ...(properties.tags && { tags: properties.tags }),
  }
  return keyType === 'oct-HSM'
    ? client.createOctKey(name, { ...options, keySize: 256 })
    : client.createRsaKey(name, { ...options, keySize: (key?.n?.length ?? 256) * 8 })
}

/** Replaces the release policy of the key (it belongs to the key, not to one version). */
export const updateReleasePolicy = activity<
  { vault: VaultReference; keyName: string; releasePolicy: ReleasePolicy },
  null
>('updateReleasePolicy', async ({ vault, keyName, releasePolicy }) => {
  await clients
    .keys(vault.url)
    .updateKeyProperties(keyName, { releasePolicy: { encodedPolicy: encodeReleasePolicy(releasePolicy) } })
  return done(null)
})

interface RemoveKeyInput {
  readonly vault: VaultReference
  readonly key: KeyReference
  readonly purge: boolean
  /** It was deleted by an earlier teardown: a live key of that name is another's by now, and left alone. */
  readonly deletedBefore: boolean
}

/** Where a key stands after a teardown. `deleting`: the vault has not finished yet, ask again. */
export type KeyState = 'deleting' | 'deleted' | 'purged'

/** Soft-deletes a key that this deployment made (purges it only if asked); repeated until it says more than `deleting`. */
export const removeKey = activity<RemoveKeyInput, { state: KeyState; scheduledPurgeDate?: string }>(
  'removeKey',
  async ({ vault, key, purge, deletedBefore }): Promise<Outcome<{ state: KeyState; scheduledPurgeDate?: string }>> => {
    const client = clients.keys(vault.url)
    const deleted = await found(() => client.getDeletedKey(key.name))
    if (deletedBefore && deleted?.properties.version !== key.version) return done({ state: 'purged' })
    if (!deleted) {
      const live = await found(() => client.getKey(key.name))
      if (!live) return done({ state: 'purged' })
      await client.beginDeleteKey(key.name)
      return done({ state: 'deleting' })
    }
    if (!purge) {
      const scheduled = deleted.properties.scheduledPurgeDate
      return done({ state: 'deleted', ...(scheduled && { scheduledPurgeDate: scheduled.toISOString() }) })
    }
    await client.purgeDeletedKey(key.name)
    return done({ state: 'purged' })
  },
)

function referenceOf(key: KeyVaultKey, created: boolean): KeyReference {
  return { id: key.id ?? '', name: key.name, version: key.properties.version ?? '', created }
}
