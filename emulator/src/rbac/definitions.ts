/**
 * Built-in role definitions, by the GUIDs that Azure gives them in every tenant (Azure built-in roles, Microsoft Learn).
 * Those that this emulator's services can act on; a role that is not here does not exist here.
 */
export interface RoleDefinition {
  /** The GUID, lower case. */
  readonly name: string
  readonly roleName: string
  readonly description: string
  readonly permissions: readonly RolePermission[]
}

/** Action patterns: `*` stands for any run of characters, `/` included; case does not count. */
export interface RolePermission {
  readonly actions: readonly string[]
  readonly notActions: readonly string[]
  readonly dataActions: readonly string[]
  readonly notDataActions: readonly string[]
}

interface Grants {
  readonly actions?: readonly string[]
  readonly notActions?: readonly string[]
  readonly dataActions?: readonly string[]
}

function role(name: string, roleName: string, description: string, grants: Grants): RoleDefinition {
  const { actions = [], notActions = [], dataActions = [] } = grants
  return { name, roleName, description, permissions: [{ actions, notActions, dataActions, notDataActions: [] }] }
}

const keys = (...names: string[]) => names.map((name) => `Microsoft.KeyVault/vaults/keys/${name}`)

/** What every Key Vault data role may read on the management side. */
const VAULT_BASICS = [
  'Microsoft.Authorization/*/read',
  'Microsoft.KeyVault/vaults/read',
  'Microsoft.KeyVault/locations/deletedVaults/read',
  'Microsoft.Resources/subscriptions/resourceGroups/read',
]

export const BUILT_IN_ROLES: readonly RoleDefinition[] = [
  role('8e3af657-a8ff-443c-a75c-2fe8c4bcb635', 'Owner', 'Manages all resources and may assign roles.', {
    actions: ['*'],
  }),
  role('b24988ac-6180-42a0-ab88-20f7382dd24c', 'Contributor', 'Manages all resources but may not assign roles.', {
    actions: ['*'],
    notActions: [
      'Microsoft.Authorization/*/Delete',
      'Microsoft.Authorization/*/Write',
      'Microsoft.Authorization/elevateAccess/Action',
      'Microsoft.Blueprint/blueprintAssignments/write',
      'Microsoft.Blueprint/blueprintAssignments/delete',
    ],
  }),
  role('acdd72a7-3385-48ef-bd42-f606fba81ae7', 'Reader', 'Views all resources and changes none.', {
    actions: ['*/read'],
  }),
  role('18d7d88d-d35e-4fb5-a5c3-7773c20a72d9', 'User Access Administrator', 'Manages access to resources.', {
    actions: ['*/read', 'Microsoft.Authorization/*', 'Microsoft.Support/*'],
  }),
  role(
    'f58310d9-a9f6-439a-9e8d-f62e7b41a168',
    'Role Based Access Control Administrator',
    'Assigns roles and manages nothing else.',
    {
      actions: [
        'Microsoft.Authorization/roleAssignments/write',
        'Microsoft.Authorization/roleAssignments/delete',
        '*/read',
        'Microsoft.Support/*',
      ],
    },
  ),
  role('e40ec5ca-96e0-45a2-b4ff-59039f2c2b59', 'Managed Identity Contributor', 'Creates and deletes identities.', {
    actions: [
      'Microsoft.ManagedIdentity/userAssignedIdentities/read',
      'Microsoft.ManagedIdentity/userAssignedIdentities/write',
      'Microsoft.ManagedIdentity/userAssignedIdentities/delete',
      'Microsoft.Authorization/*/read',
      'Microsoft.Resources/subscriptions/resourceGroups/read',
      'Microsoft.Resources/deployments/*',
    ],
  }),
  role('f1a07417-d97a-45cb-824c-7a7467783830', 'Managed Identity Operator', 'Reads and assigns identities.', {
    actions: [
      'Microsoft.ManagedIdentity/userAssignedIdentities/*/read',
      'Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action',
      'Microsoft.ManagedIdentity/userAssignedIdentities/read',
      'Microsoft.ManagedIdentity/userAssignedIdentities/assign/action',
      'Microsoft.Authorization/*/read',
      'Microsoft.Resources/subscriptions/resourceGroups/read',
      'Microsoft.Resources/deployments/*',
    ],
  }),
  role('7f951dda-4ed3-4680-a7ca-43fe172d538d', 'AcrPull', 'Pulls images from a registry.', {
    actions: ['Microsoft.ContainerRegistry/registries/pull/read'],
  }),
  role('bbf86eb8-f7b4-4cce-96e4-18cddf81d86e', 'Attestation Contributor', 'Reads, writes and deletes providers.', {
    actions: [
      'Microsoft.Attestation/attestationProviders/attestation/read',
      'Microsoft.Attestation/attestationProviders/attestation/write',
      'Microsoft.Attestation/attestationProviders/attestation/delete',
      'Microsoft.Attestation/attestationProviders/read',
      'Microsoft.Attestation/attestationProviders/write',
      'Microsoft.Attestation/attestationProviders/delete',
    ],
    dataActions: [
      'Microsoft.Attestation/attestationProviders/attestation/read',
      'Microsoft.Attestation/attestationProviders/attestation/write',
      'Microsoft.Attestation/attestationProviders/attestation/delete',
    ],
  }),
  role('fd1bd22b-8476-40bc-a0bc-69b95687b9f3', 'Attestation Reader', 'Reads the properties of providers.', {
    actions: [
      'Microsoft.Attestation/attestationProviders/attestation/read',
      'Microsoft.Attestation/attestationProviders/read',
    ],
    dataActions: ['Microsoft.Attestation/attestationProviders/attestation/read'],
  }),
  role('f25e0fa2-a7c8-4377-a976-54943a77a395', 'Key Vault Contributor', 'Manages vaults, not what is in them.', {
    actions: [
      'Microsoft.Authorization/*/read',
      'Microsoft.KeyVault/*',
      'Microsoft.Resources/deployments/*',
      'Microsoft.Resources/subscriptions/resourceGroups/read',
    ],
    notActions: [
      'Microsoft.KeyVault/locations/deletedVaults/purge/action',
      'Microsoft.KeyVault/hsmPools/*',
      'Microsoft.KeyVault/managedHsms/*',
    ],
  }),
  role('00482a5a-887f-4fb3-b363-3b7fe8e74483', 'Key Vault Administrator', 'Does everything inside a vault.', {
    actions: [...VAULT_BASICS, 'Microsoft.KeyVault/checkNameAvailability/read', 'Microsoft.KeyVault/operations/read'],
    dataActions: ['Microsoft.KeyVault/vaults/*'],
  }),
  role('21090545-7ca7-4776-b22c-e363652d74d2', 'Key Vault Reader', 'Reads metadata, never values or keys.', {
    actions: VAULT_BASICS,
    dataActions: ['Microsoft.KeyVault/vaults/*/read', 'Microsoft.KeyVault/vaults/secrets/readMetadata/action'],
  }),
  role('a68e7c17-0ab2-4c09-9a58-125dae29748c', 'Key Vault Purge Operator', 'Purges what was soft-deleted.', {
    actions: [
      'Microsoft.KeyVault/locations/deletedVaults/read',
      'Microsoft.KeyVault/locations/deletedVaults/purge/action',
      'Microsoft.KeyVault/locations/deletedManagedHsms/read',
      'Microsoft.KeyVault/locations/deletedManagedHsms/purge/action',
    ],
    dataActions: keys('purge/action'),
  }),
  role('14b46e9e-c2b7-41b4-b07b-48a6ebf60603', 'Key Vault Crypto Officer', 'Does everything with keys.', {
    actions: VAULT_BASICS,
    dataActions: ['Microsoft.KeyVault/vaults/keys/*', 'Microsoft.KeyVault/vaults/keyrotationpolicies/*'],
  }),
  role('12338af0-0e69-4776-bea7-57ae8d297424', 'Key Vault Crypto User', 'Uses keys.', {
    dataActions: keys(
      'read',
      'update/action',
      'backup/action',
      'encrypt/action',
      'decrypt/action',
      'wrap/action',
      'unwrap/action',
      'sign/action',
      'verify/action',
    ),
  }),
  role(
    'e147488a-f6f5-4113-8e2d-b22465e65bf6',
    'Key Vault Crypto Service Encryption User',
    'Reads keys, wraps and unwraps with them.',
    {
      actions: [
        'Microsoft.EventGrid/eventSubscriptions/write',
        'Microsoft.EventGrid/eventSubscriptions/read',
        'Microsoft.EventGrid/eventSubscriptions/delete',
      ],
      dataActions: keys('read', 'wrap/action', 'unwrap/action'),
    },
  ),
  role('08bbd89e-9f13-488c-ac41-acfcb10c90ab', 'Key Vault Crypto Service Release User', 'Releases keys, no more.', {
    dataActions: keys('release/action'),
  }),
  role(
    '8b54135c-b56d-4d72-a534-26097cfdc8d8',
    'Key Vault Data Access Administrator',
    'Assigns the Key Vault data roles.',
    {
      actions: [
        'Microsoft.Authorization/roleAssignments/write',
        'Microsoft.Authorization/roleAssignments/delete',
        'Microsoft.Authorization/*/read',
        'Microsoft.Resources/deployments/*',
        'Microsoft.Resources/subscriptions/read',
        'Microsoft.Management/managementGroups/read',
        'Microsoft.Resources/subscriptions/resourceGroups/read',
        'Microsoft.KeyVault/vaults/*/read',
      ],
    },
  ),
]

/** A built-in role by its GUID or by a full role definition id that ends in it. */
export function findRole(idOrName: string): RoleDefinition | undefined {
  const name = idOrName.slice(idOrName.lastIndexOf('/') + 1).toLowerCase()
  return BUILT_IN_ROLES.find((definition) => definition.name === name)
}

export function findRoleByRoleName(roleName: string): RoleDefinition | undefined {
  return BUILT_IN_ROLES.find((definition) => definition.roleName.toLowerCase() === roleName.toLowerCase())
}
