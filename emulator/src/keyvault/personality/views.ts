import { isAtLeast7 } from '../api-version.ts'
import { isHardware } from '../rules/key-types.ts'
import { recoveryLevel } from '../rules/vault-rules.ts'
import type { KeyRecord, KeyVersion } from '../state.ts'
import type { View } from './personality.ts'

/** The parts of an answer that vaults and managed HSMs build alike; members in the vault's order. */

export const keyId = (view: View, key: Pick<KeyRecord, 'name'>, version: Pick<KeyVersion, 'version'>): string =>
  `${view.origin}/keys/${key.name}/${version.version}`

export function jsonWebKey(view: View, key: KeyRecord, version: KeyVersion) {
  return { kid: keyId(view, key, version), kty: version.kty, key_ops: version.keyOps, ...version.publicJwk }
}

export function attributes(view: View, key: KeyRecord, version: KeyVersion) {
  const managedHsm = view.vault.kind === 'managedHsm'
  // Vaults tell the size of RSA keys, managed HSMs that of symmetric ones that are not deleted.
  const sized = managedHsm ? version.kty === 'oct-HSM' && key.deleted === undefined : version.keySize !== undefined
  return {
    enabled: version.enabled,
    ...(version.notBefore === undefined ? {} : { nbf: version.notBefore }),
    ...(version.expires === undefined ? {} : { exp: version.expires }),
    ...(sized ? { key_size: version.keySize } : {}),
    created: version.created,
    updated: version.updated,
    recoveryLevel: recoveryLevel(view.vault),
    recoverableDays: view.vault.softDeleteRetentionInDays,
    exportable: key.exportable,
    ...(!managedHsm && isAtLeast7(view.apiVersion, 5) ? { hsmPlatform: isHardware(version.kty) ? '2' : '0' } : {}),
  }
}

export const tagsOf = (version: KeyVersion) => (version.tags === undefined ? {} : { tags: version.tags })

export const policyOf = (key: KeyRecord) =>
  key.releasePolicy === undefined ? {} : { release_policy: key.releasePolicy }

/** The members that a deleted key has beside those of a live one. */
export function deletion(view: View, key: KeyRecord) {
  return {
    recoveryId: `${view.origin}/deletedkeys/${key.name}`,
    deletedDate: key.deleted?.deletedDate,
    scheduledPurgeDate: key.deleted?.scheduledPurgeDate,
  }
}

export function keyBundle(view: View, key: KeyRecord, version: KeyVersion) {
  return {
    key: jsonWebKey(view, key, version),
    attributes: attributes(view, key, version),
    ...tagsOf(version),
    ...policyOf(key),
  }
}

export function keyItem(view: View, key: KeyRecord, version: KeyVersion, versioned: boolean) {
  return {
    kid: versioned ? keyId(view, key, version) : `${view.origin}/keys/${key.name}`,
    attributes: attributes(view, key, version),
    ...tagsOf(version),
  }
}
