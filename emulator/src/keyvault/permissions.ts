import type { Operation } from './target.ts'

/**
 * The data action that each operation needs: for vaults the Azure RBAC actions of `Microsoft.KeyVault/vaults`, for
 * managed HSMs those of the local RBAC (Microsoft Learn, "Managed HSM local RBAC built-in roles").
 */
export const VAULT_PREFIX = 'Microsoft.KeyVault/vaults/'
export const MANAGED_HSM_PREFIX = 'Microsoft.KeyVault/managedHsm/'

const VAULT_ACTIONS: Partial<Readonly<Record<Operation, string>>> = {
  get: 'keys/read',
  list: 'keys/read',
  listVersions: 'keys/read',
  getDeleted: 'keys/read',
  listDeleted: 'keys/read',
  attestation: 'keys/read',
  create: 'keys/create/action',
  import: 'keys/import/action',
  update: 'keys/update/action',
  delete: 'keys/delete',
  recover: 'keys/recover/action',
  purge: 'keys/purge/action',
  backup: 'keys/backup/action',
  restore: 'keys/restore/action',
  encrypt: 'keys/encrypt/action',
  decrypt: 'keys/decrypt/action',
  wrapKey: 'keys/wrap/action',
  unwrapKey: 'keys/unwrap/action',
  secureWrapKey: 'keys/wrap/action',
  secureUnwrapKey: 'keys/unwrap/action',
  sign: 'keys/sign/action',
  verify: 'keys/verify/action',
  release: 'keys/release/action',
  rotate: 'keys/rotate/action',
  getRotationPolicy: 'keyrotationpolicies/read',
  putRotationPolicy: 'keyrotationpolicies/write',
}

const MANAGED_HSM_ACTIONS: Partial<Readonly<Record<Operation, string>>> = {
  get: 'keys/read/action',
  list: 'keys/read/action',
  listVersions: 'keys/read/action',
  attestation: 'keys/read/action',
  getDeleted: 'keys/deletedKeys/read/action',
  listDeleted: 'keys/deletedKeys/read/action',
  create: 'keys/create',
  import: 'keys/import/action',
  update: 'keys/write/action',
  delete: 'keys/delete',
  recover: 'keys/deletedKeys/recover/action',
  purge: 'keys/deletedKeys/delete',
  backup: 'keys/backup/action',
  restore: 'keys/restore/action',
  encrypt: 'keys/encrypt/action',
  decrypt: 'keys/decrypt/action',
  wrapKey: 'keys/wrap/action',
  unwrapKey: 'keys/unwrap/action',
  secureWrapKey: 'keys/wrap/action',
  secureUnwrapKey: 'keys/unwrap/action',
  sign: 'keys/sign/action',
  verify: 'keys/verify/action',
  release: 'keys/release/action',
  rotate: 'keys/rotate/action',
  getRotationPolicy: 'keys/read/action',
  putRotationPolicy: 'keys/write/action',
  random: 'rng/action',
  putRoleAssignment: 'roleAssignments/write/action',
  getRoleAssignment: 'roleAssignments/read/action',
  listRoleAssignments: 'roleAssignments/read/action',
  deleteRoleAssignment: 'roleAssignments/delete/action',
  getRoleDefinition: 'roleDefinitions/read/action',
  listRoleDefinitions: 'roleDefinitions/read/action',
  putRoleDefinition: 'roleDefinitions/write/action',
  deleteRoleDefinition: 'roleDefinitions/delete/action',
  // No published role has an action for settings; they are the business of who holds the security domain.
  listSettings: 'securitydomain/download/action',
  getSetting: 'securitydomain/download/action',
  updateSetting: 'securitydomain/download/action',
}

/** Undefined: the operation does not exist there. */
export function vaultDataAction(operation: Operation): string | undefined {
  const action = VAULT_ACTIONS[operation]
  return action === undefined ? undefined : `${VAULT_PREFIX}${action}`
}

export function managedHsmDataAction(operation: Operation): string | undefined {
  const action = MANAGED_HSM_ACTIONS[operation]
  return action === undefined ? undefined : `${MANAGED_HSM_PREFIX}${action}`
}
