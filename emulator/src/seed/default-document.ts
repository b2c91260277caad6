import type { SeedDocument } from './schema.ts'

const NAME = 'skerry'

/**
 * What `skerry up` holds from the start unless a seed file says otherwise: a vault, a managed HSM and a managed identity,
 * in one resource group. The identity may have keys of both released, and nothing else.
 */
export const DEFAULT_SEED: SeedDocument = {
  managedIdentities: [{ name: NAME, resourceGroup: NAME }],
  vaults: [{ name: NAME, resourceGroup: NAME }],
  managedHsms: [{ name: NAME, resourceGroup: NAME }],
  attestationProviders: [{ host: 'sharedweu.weu.attest.azure.net' }],
  roleAssignments: [{ principal: NAME, role: 'Key Vault Crypto Service Release User', scope: `vaults/${NAME}` }],
  localRoleAssignments: [
    { managedHsm: NAME, principal: NAME, role: 'Managed HSM Crypto Service Release User', scope: '/keys' },
  ],
}
