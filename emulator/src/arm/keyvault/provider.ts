import { COLLECTIONS, type EmulatorContext, type VaultRecord } from '../../core/index.ts'
import { createVaultContents } from '../../keyvault/index.ts'
import type { ResourceType } from '../providers/types.ts'
import { accessPolicies } from './access-policy-type.ts'
import { type DeletedVaults, openDeletedVaults } from './deleted.ts'
import { type ArmKeys, armKeys } from './keys.ts'
import { type KeyVaultOperations, openKeyVaultOperations } from './operations.ts'
import { managedHsms, type VaultType, vaults } from './vaults.ts'

/** Microsoft.KeyVault, as Resource Manager has it. */
export interface KeyVaultProvider {
  readonly vaults: VaultType
  readonly managedHsms: VaultType
  readonly vaultKeys: ArmKeys
  readonly managedHsmKeys: ArmKeys
  readonly accessPolicies: ResourceType
  readonly deleted: DeletedVaults
  readonly operations: KeyVaultOperations
  /** Whether a name belongs to a vault that is there or may be recovered. Names are unique in the world. */
  isTaken(kind: VaultRecord['kind'], name: string): boolean
}

export function keyVaultProvider(ctx: EmulatorContext): KeyVaultProvider {
  const contents = createVaultContents(ctx)
  const deleted = openDeletedVaults(ctx, contents)
  const operations = openKeyVaultOperations(ctx)
  const parts = { ctx, deleted, operations }
  const [vaultType, hsmType] = [vaults(parts), managedHsms(parts)]
  return {
    vaults: vaultType,
    managedHsms: hsmType,
    vaultKeys: armKeys(vaultType, contents),
    managedHsmKeys: armKeys(hsmType, contents),
    accessPolicies: accessPolicies(ctx, vaultType),
    deleted,
    operations,
    isTaken(kind, name) {
      const host = `${name.toLowerCase()}.${kind === 'vault' ? 'vault' : 'managedhsm'}.azure.net`
      return ctx.store.collection(COLLECTIONS.vaults).has(host) || deleted.find(host) !== undefined
    },
  }
}
