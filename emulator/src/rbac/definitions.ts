import { KEY_VAULT_ROLES } from './key-vault-roles.ts'
import { type RoleDefinition, role } from './role.ts'

/**
 * Built-in role definitions, by the GUIDs that Azure gives them in every tenant (Azure built-in roles, Microsoft Learn).
 * Those that this emulator's services can act on; a built-in role that is not here does not exist here.
 */
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
      'Microsoft.Compute/galleries/share/action',
      'Microsoft.Purview/consents/write',
      'Microsoft.Purview/consents/delete',
      'Microsoft.Resources/deploymentStacks/manageDenySetting/action',
      'Microsoft.Subscription/cancel/action',
      'Microsoft.Subscription/enable/action',
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
      'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/read',
      'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write',
      'Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/delete',
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
  ...KEY_VAULT_ROLES,
]

const BY_NAME = new Map(BUILT_IN_ROLES.map((definition) => [definition.name, definition]))

/** A built-in role by its GUID or by a full role definition id that ends in it. */
export function findRole(idOrName: string): RoleDefinition | undefined {
  return BY_NAME.get(roleNameOf(idOrName))
}

export function findRoleByRoleName(roleName: string): RoleDefinition | undefined {
  return BUILT_IN_ROLES.find((definition) => definition.roleName.toLowerCase() === roleName.toLowerCase())
}

/** The GUID at the end of a role definition id, lower case. */
export function roleNameOf(idOrName: string): string {
  return idOrName.slice(idOrName.lastIndexOf('/') + 1).toLowerCase()
}
