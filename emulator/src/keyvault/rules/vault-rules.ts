import type { VaultRecord } from '../../core/index.ts'
import type { KeyStore } from './key-types.ts'

/** Names of keys: letters, digits and hyphens, at most 127 characters. */
export const isKeyName = (name: string): boolean => /^[0-9a-zA-Z-]{1,127}$/.test(name)

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
