import { type RoleDefinition, role } from './role.ts'

/** The built-in roles of Key Vault and Managed HSM ("Azure built-in roles for Security", Microsoft Learn). */

const data = (kind: string, ...names: string[]) => names.map((name) => `Microsoft.KeyVault/vaults/${kind}/${name}`)

/** What every Key Vault role for people may do on the management side. */
const FOR_PEOPLE = [
  'Microsoft.Authorization/*/read',
  'Microsoft.Insights/alertRules/*',
  'Microsoft.Resources/deployments/*',
  'Microsoft.Resources/subscriptions/resourceGroups/read',
  'Microsoft.Support/*',
  'Microsoft.KeyVault/checkNameAvailability/read',
  'Microsoft.KeyVault/deletedVaults/read',
  'Microsoft.KeyVault/locations/*/read',
  'Microsoft.KeyVault/vaults/*/read',
  'Microsoft.KeyVault/operations/read',
]

const ADMINISTRATOR = '00482a5a-887f-4fb3-b363-3b7fe8e74483'
const READER = '21090545-7ca7-4776-b22c-e363652d74d2'
const CERTIFICATES_OFFICER = 'a4417e6f-fecd-4de8-b567-7b0420556985'
const CRYPTO_OFFICER = '14b46e9e-c2b7-41b4-b07b-48a6ebf60603'
const CRYPTO_USER = '12338af0-0e69-4776-bea7-57ae8d297424'
const CRYPTO_SERVICE_ENCRYPTION_USER = 'e147488a-f6f5-4113-8e2d-b22465e65bf6'
const SECRETS_OFFICER = 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7'
const SECRETS_USER = '4633458b-17de-408a-b874-0445c86b69e6'

export const KEY_VAULT_ROLES: readonly RoleDefinition[] = [
  role('f25e0fa2-a7c8-4377-a976-54943a77a395', 'Key Vault Contributor', 'Manages vaults, not what is in them.', {
    actions: [
      'Microsoft.Authorization/*/read',
      'Microsoft.Insights/alertRules/*',
      'Microsoft.KeyVault/*',
      'Microsoft.Resources/deployments/*',
      'Microsoft.Resources/subscriptions/resourceGroups/read',
      'Microsoft.Support/*',
    ],
    notActions: [
      'Microsoft.KeyVault/locations/deletedVaults/purge/action',
      'Microsoft.KeyVault/hsmPools/*',
      'Microsoft.KeyVault/managedHsms/*',
    ],
  }),
  role('18500a29-7fe2-46b2-a342-b16a415e101d', 'Managed HSM contributor', 'Manages HSMs, not what is in them.', {
    actions: [
      'Microsoft.KeyVault/managedHSMs/*',
      'Microsoft.KeyVault/deletedManagedHsms/read',
      'Microsoft.KeyVault/locations/deletedManagedHsms/read',
      'Microsoft.KeyVault/locations/deletedManagedHsms/purge/action',
      'Microsoft.KeyVault/locations/managedHsmOperationResults/read',
    ],
  }),
  role(ADMINISTRATOR, 'Key Vault Administrator', 'Does everything inside a vault.', {
    actions: FOR_PEOPLE,
    dataActions: ['Microsoft.KeyVault/vaults/*'],
  }),
  role(READER, 'Key Vault Reader', 'Reads metadata, never values or keys.', {
    actions: FOR_PEOPLE,
    dataActions: ['Microsoft.KeyVault/vaults/*/read', 'Microsoft.KeyVault/vaults/secrets/readMetadata/action'],
  }),
  role('a68e7c17-0ab2-4c09-9a58-125dae29748c', 'Key Vault Purge Operator', 'Purges deleted vaults.', {
    actions: [
      'Microsoft.Authorization/*/read',
      'Microsoft.Insights/alertRules/*',
      'Microsoft.Resources/deployments/*',
      'Microsoft.Resources/subscriptions/resourceGroups/read',
      'Microsoft.KeyVault/deletedVaults/read',
      'Microsoft.KeyVault/locations/deletedVaults/read',
      'Microsoft.KeyVault/locations/deletedVaults/purge/action',
      'Microsoft.KeyVault/locations/operationResults/read',
    ],
  }),
  role(CERTIFICATES_OFFICER, 'Key Vault Certificates Officer', 'Does everything with certificates.', {
    actions: FOR_PEOPLE,
    dataActions: [
      'Microsoft.KeyVault/vaults/certificatecas/*',
      'Microsoft.KeyVault/vaults/certificates/*',
      'Microsoft.KeyVault/vaults/certificatecontacts/write',
    ],
  }),
  role('db79e9a7-68ee-4b58-9aeb-b90e7c24fcba', 'Key Vault Certificate User', 'Reads certificates with their keys.', {
    dataActions: [
      ...data('certificates', 'read'),
      ...data('secrets', 'getSecret/action', 'readMetadata/action'),
      ...data('keys', 'read'),
    ],
  }),
  role(CRYPTO_OFFICER, 'Key Vault Crypto Officer', 'Does everything with keys.', {
    actions: FOR_PEOPLE,
    dataActions: ['Microsoft.KeyVault/vaults/keys/*', 'Microsoft.KeyVault/vaults/keyrotationpolicies/*'],
  }),
  role(CRYPTO_USER, 'Key Vault Crypto User', 'Uses keys.', {
    dataActions: data(
      'keys',
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
    CRYPTO_SERVICE_ENCRYPTION_USER,
    'Key Vault Crypto Service Encryption User',
    'Reads keys, wraps and unwraps with them.',
    {
      actions: [
        'Microsoft.EventGrid/eventSubscriptions/write',
        'Microsoft.EventGrid/eventSubscriptions/read',
        'Microsoft.EventGrid/eventSubscriptions/delete',
      ],
      dataActions: data('keys', 'read', 'wrap/action', 'unwrap/action'),
    },
  ),
  role('08bbd89e-9f13-488c-ac41-acfcb10c90ab', 'Key Vault Crypto Service Release User', 'Releases keys, no more.', {
    dataActions: data('keys', 'release/action'),
  }),
  role(SECRETS_OFFICER, 'Key Vault Secrets Officer', 'Does everything with secrets.', {
    actions: FOR_PEOPLE,
    dataActions: ['Microsoft.KeyVault/vaults/secrets/*'],
  }),
  role(SECRETS_USER, 'Key Vault Secrets User', 'Reads the contents of secrets.', {
    dataActions: data('secrets', 'getSecret/action', 'readMetadata/action'),
  }),
  role(
    '8b54135c-b56d-4d72-a534-26097cfdc8d8',
    'Key Vault Data Access Administrator',
    'Assigns and takes the older Key Vault data roles, and no other role.',
    {
      actions: [
        'Microsoft.Authorization/roleAssignments/write',
        'Microsoft.Authorization/roleAssignments/delete',
        'Microsoft.Authorization/*/read',
        'Microsoft.Resources/deployments/*',
        'Microsoft.Resources/subscriptions/resourceGroups/read',
        'Microsoft.Resources/subscriptions/read',
        'Microsoft.Management/managementGroups/read',
        'Microsoft.Support/*',
        'Microsoft.KeyVault/vaults/*/read',
      ],
      assignableRoles: [
        ADMINISTRATOR,
        CERTIFICATES_OFFICER,
        CRYPTO_OFFICER,
        CRYPTO_SERVICE_ENCRYPTION_USER,
        CRYPTO_USER,
        READER,
        SECRETS_OFFICER,
        SECRETS_USER,
      ],
    },
  ),
]
