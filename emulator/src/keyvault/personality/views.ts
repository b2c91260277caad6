import { has } from '../api-version.ts'
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
  const size = managedHsm && (version.kty !== 'oct-HSM' || key.deleted !== undefined) ? undefined : sizeOf(version)
  return {
    enabled: version.enabled,
    ...(version.notBefore === undefined ? {} : { nbf: version.notBefore }),
    ...(version.expires === undefined ? {} : { exp: version.expires }),
    // Whatever the version of the API: vaults tell it of every key, managed HSMs of symmetric ones that are not deleted.
    ...(size === undefined ? {} : { key_size: size }),
    created: version.created,
    updated: version.updated,
    recoveryLevel: recoveryLevel(view.vault),
    recoverableDays: view.vault.softDeleteRetentionInDays,
    ...(has(view.apiVersion, 'release') ? { exportable: key.exportable } : {}),
    ...(!managedHsm && has(view.apiVersion, 'hsmPlatform') ? { hsmPlatform: isHardware(version.kty) ? '2' : '0' } : {}),
  }
}

const CURVE_SIZES: Readonly<Record<string, number>> = { 'P-256': 256, 'P-384': 384, 'P-521': 521, 'P-256K': 256 }

const sizeOf = ({ keySize, publicJwk }: KeyVersion): number | undefined => keySize ?? CURVE_SIZES[publicJwk.crv ?? '']

export const tagsOf = (version: KeyVersion) => (version.tags === undefined ? {} : { tags: version.tags })

/** Nothing for a version of the API that has no release policies. */
export const policyOf = (view: View, key: KeyRecord) =>
  key.releasePolicy === undefined || !has(view.apiVersion, 'release') ? {} : { release_policy: key.releasePolicy }

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
    ...policyOf(view, key),
  }
}

export function keyItem(view: View, key: KeyRecord, version: KeyVersion, versioned: boolean) {
  return {
    kid: versioned ? keyId(view, key, version) : `${view.origin}/keys/${key.name}`,
    attributes: attributes(view, key, version),
    ...tagsOf(version),
  }
}
