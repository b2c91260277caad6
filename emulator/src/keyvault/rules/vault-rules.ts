import type { VaultRecord } from '../../core/index.ts'
import { badParameter } from '../errors.ts'
import type { KeyRecord } from '../state.ts'
import type { KeyStore } from './key-types.ts'

/** Names of keys: letters, digits and hyphens, at most 127 characters. */
export const isKeyName = (name: string): boolean => /^[0-9a-zA-Z-]{1,127}$/.test(name)

/** Versions of keys: 32 hex digits; what is not one is no version at all, and names nothing. */
export const isKeyVersion = (version: string): boolean => /^[0-9a-f]{32}$/i.test(version)

/** As documented for managed HSMs ("Managed HSM service limits"); a vault has no such limit. */
const MANAGED_HSM_VERSIONS = 100

/** Throws 400 when a key can have no further version. The service's own words are not documented. */
export function requireRoomForVersion(vault: VaultRecord, key: Pick<KeyRecord, 'versions'> | undefined): void {
  if (vault.kind !== 'managedHsm' || (key?.versions.length ?? 0) < MANAGED_HSM_VERSIONS) return
  throw badParameter(`The key has reached the limit of ${MANAGED_HSM_VERSIONS} versions`)
}

export function keyStoreOf(vault: VaultRecord): KeyStore {
  if (vault.kind === 'managedHsm') return 'managedHsm'
  return vault.sku.toLowerCase() === 'standard' ? 'standard' : 'premium'
}

/** How a deleted key can come back, in the service's words; a function of the vault's soft-delete settings. */
export function recoveryLevel(vault: VaultRecord): string {
  const base = vault.softDeleteRetentionInDays >= 90 ? 'Recoverable' : 'CustomizedRecoverable'
  return vault.enablePurgeProtection ? base : `${base}+Purgeable`
}

export const SECONDS_PER_DAY = 86_400
