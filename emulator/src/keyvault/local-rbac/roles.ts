import { MANAGED_HSM_PREFIX } from '../permissions.ts'

/** A role of a managed HSM's local RBAC. */
export interface LocalRole {
  readonly guid: string
  readonly roleName: string
  /** Data actions without the prefix. */
  readonly dataActions: readonly string[]
  /** Of a custom role: taken away again from `dataActions`. */
  readonly notDataActions?: readonly string[]
  /** Absent: a role that every managed HSM has. */
  readonly custom?: { readonly description: string; readonly assignableScopes: readonly string[] }
}

const ROLE_READ = ['roleAssignments/read/action', 'roleDefinitions/read/action']
const ROLE_WRITE = [
  'roleAssignments/write/action',
  'roleAssignments/delete/action',
  'roleDefinitions/write/action',
  'roleDefinitions/delete/action',
]

export const ADMINISTRATOR = 'a290e904-7015-4bba-90c8-60543313cdb4'
export const CRYPTO_OFFICER = '515eb02d-2335-4d2d-92f2-b1cbdf9c3778'
export const CRYPTO_USER = '21dbd100-6940-42c2-9190-5d6cb909625b'
export const CRYPTO_SERVICE_RELEASE_USER = '21dbd100-6940-42c2-9190-5d6cb909625c'

/**
 * "Managed HSM local RBAC built-in roles" (Microsoft Learn). Its table also gives the purge of keys to the auditor, whom
 * its text lets read and nothing else: taken for a slip.
 */
export const LOCAL_ROLES: readonly LocalRole[] = [
  {
    guid: ADMINISTRATOR,
    roleName: 'Managed HSM Administrator',
    dataActions: [
      ...ROLE_READ,
      ...ROLE_WRITE,
      'securitydomain/download/action',
      'securitydomain/upload/action',
      'securitydomain/upload/read',
      'securitydomain/transferkey/read',
      'backup/start/action',
      'backup/status/action',
      'restore/start/action',
      'restore/status/action',
    ],
  },
  {
    guid: CRYPTO_OFFICER,
    roleName: 'Managed HSM Crypto Officer',
    dataActions: [
      'keys/deletedKeys/read/action',
      'keys/deletedKeys/recover/action',
      'keys/deletedKeys/delete',
      ...ROLE_READ,
      ...ROLE_WRITE,
    ],
  },
  {
    guid: CRYPTO_USER,
    roleName: 'Managed HSM Crypto User',
    dataActions: [
      'keys/read/action',
      'keys/write/action',
      'keys/rotate/action',
      'keys/create',
      'keys/delete',
      'keys/import/action',
      'keys/backup/action',
      'keys/restore/action',
      'keys/release/action',
      'keys/encrypt/action',
      'keys/decrypt/action',
      'keys/sign/action',
      'keys/verify/action',
      'keys/wrap/action',
      'keys/unwrap/action',
      // The published table does not place random bytes; the role that may do all with keys is assumed to have them.
      'rng/action',
      ...ROLE_READ,
    ],
  },
  {
    guid: '4bd23610-cdcf-4971-bdee-bdc562cc28e4',
    roleName: 'Managed HSM Policy Administrator',
    dataActions: [...ROLE_READ, ...ROLE_WRITE],
  },
  {
    guid: '2c18b078-7c48-4d3a-af88-5a3a1b3f82b3',
    roleName: 'Managed HSM Crypto Auditor',
    dataActions: ['keys/read/action', ...ROLE_READ],
  },
  {
    guid: '33413926-3206-4cdd-b39a-83574fe37a17',
    roleName: 'Managed HSM Crypto Service Encryption User',
    dataActions: ['keys/read/action', 'keys/wrap/action', 'keys/unwrap/action'],
  },
  {
    guid: CRYPTO_SERVICE_RELEASE_USER,
    roleName: 'Managed HSM Crypto Service Release User',
    dataActions: ['keys/release/action'],
  },
  {
    guid: '7b127d3c-77bd-4e3e-bbe0-dbb8971fa7f8',
    roleName: 'Managed HSM Backup',
    dataActions: ['keys/backup/action', 'backup/start/action', 'backup/status/action'],
  },
  {
    guid: '6efe6056-5259-49d2-8b3d-d3d73544b20b',
    roleName: 'Managed HSM Restore',
    dataActions: ['keys/restore/action', 'restore/start/action', 'restore/status/action'],
  },
]

const ID_PREFIX = 'Microsoft.KeyVault/providers/Microsoft.Authorization/roleDefinitions/'

export const localRoleId = (role: LocalRole): string => `${ID_PREFIX}${role.guid}`

/** The GUID of a role: at the end of its full id (with or without a leading slash), or alone. */
export const localRoleGuid = (id: string): string => id.slice(id.lastIndexOf('/') + 1).toLowerCase()

/** A built-in role by its full id or its GUID. */
export function findLocalRole(id: string): LocalRole | undefined {
  const guid = localRoleGuid(id)
  return LOCAL_ROLES.find((role) => role.guid === guid)
}

/** Whether a role has a data action that is given with its prefix. Compared without case. */
export function localRoleGrants({ dataActions, notDataActions = [] }: LocalRole, dataAction: string): boolean {
  const wanted = dataAction.toLowerCase()
  const names = (actions: readonly string[]) =>
    actions.some((action) => `${MANAGED_HSM_PREFIX}${action}`.toLowerCase() === wanted)
  return names(dataActions) && !names(notDataActions)
}

/** Whether an assignment at `scope` reaches `wanted`: `/` everything, `/keys` every key, `/keys/<name>` that key. */
export function localScopeContains(scope: string, wanted: string): boolean {
  const outer = scope.toLowerCase()
  const inner = wanted.toLowerCase()
  return outer === '/' || inner === outer || inner.startsWith(`${outer}/`)
}

/** `/`, `/keys` or `/keys/<name>`. */
export const isLocalScope = (scope: string): boolean => /^\/(keys(\/[0-9a-z-]{1,127})?)?$/i.test(scope)

export const isGuid = (name: string): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(name)
