import { MANAGED_HSM_PREFIX } from '../permissions.ts'

/** Every data action that a role of a managed HSM can have (Azure REST API, Key Vault 7.4, "DataAction"), unprefixed. */
const DATA_ACTIONS = [
  'keys/read/action',
  'keys/write/action',
  'keys/rotate/action',
  'keys/create',
  'keys/delete',
  'keys/import/action',
  'keys/export/action',
  'keys/release/action',
  'keys/backup/action',
  'keys/restore/action',
  'keys/encrypt/action',
  'keys/decrypt/action',
  'keys/wrap/action',
  'keys/unwrap/action',
  'keys/sign/action',
  'keys/verify/action',
  'keys/deletedKeys/read/action',
  'keys/deletedKeys/recover/action',
  'keys/deletedKeys/delete',
  'roleAssignments/read/action',
  'roleAssignments/write/action',
  'roleAssignments/delete/action',
  'roleDefinitions/read/action',
  'roleDefinitions/write/action',
  'roleDefinitions/delete/action',
  'securitydomain/download/action',
  'securitydomain/download/read',
  'securitydomain/upload/action',
  'securitydomain/upload/read',
  'securitydomain/transferkey/read',
  'backup/start/action',
  'backup/status/action',
  'restore/start/action',
  'restore/status/action',
  'rng/action',
] as const

const BY_FULL_NAME = new Map(DATA_ACTIONS.map((name) => [`${MANAGED_HSM_PREFIX}${name}`.toLowerCase(), name]))

/** The unprefixed name of a data action given in full, in any case; undefined: there is none of that name. */
export const knownDataAction = (action: string): string | undefined => BY_FULL_NAME.get(action.toLowerCase())
