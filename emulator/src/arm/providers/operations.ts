/**
 * The operations of a resource provider, as `GET /providers/{namespace}/operations` tells them: those whose right this
 * emulator asks for.
 */
type Row = readonly [action: string, resource: string, operation: string]

const KEY_VAULT: readonly Row[] = [
  ['vaults/read', 'Key Vault', 'View Key Vault'],
  ['vaults/write', 'Key Vault', 'Update Key Vault'],
  ['vaults/delete', 'Key Vault', 'Delete Key Vault'],
  ['vaults/accessPolicies/write', 'Access Policy', 'Update Access Policy'],
  ['vaults/keys/read', 'Key', 'Read Key'],
  ['vaults/keys/write', 'Key', 'Create Key'],
  ['vaults/keys/versions/read', 'Key Version', 'Read Key Version'],
  ['checkNameAvailability/read', 'Name Availability', 'Check Name Availability'],
  ['deletedVaults/read', 'Soft Deleted Vault', 'View Soft Deleted Vaults'],
  ['locations/deletedVaults/read', 'Soft Deleted Vault', 'View Soft Deleted Vault'],
  ['locations/deletedVaults/purge/action', 'Soft Deleted Vault', 'Purge Soft Deleted Vault'],
  ['locations/operationResults/read', 'Operation Result', 'Check Operation Result'],
  ['managedHSMs/read', 'Managed HSM', 'View Managed HSM'],
  ['managedHSMs/write', 'Managed HSM', 'Create or Update Managed HSM'],
  ['managedHSMs/delete', 'Managed HSM', 'Delete Managed HSM'],
  ['managedHSMs/keys/read', 'Managed HSM Key', 'Read Key'],
  ['managedHSMs/keys/write', 'Managed HSM Key', 'Create Key'],
  ['deletedManagedHsms/read', 'Deleted Managed HSM', 'View Deleted Managed HSMs'],
  ['locations/deletedManagedHsms/read', 'Deleted Managed HSM', 'View Deleted Managed HSM'],
  ['locations/deletedManagedHsms/purge/action', 'Deleted Managed HSM', 'Purge Deleted Managed HSM'],
  ['locations/managedHsmOperationResults/read', 'Operation Result', 'Check Operation Result'],
]

const ATTESTATION: readonly Row[] = [
  ['attestationProviders/read', 'Attestation Provider', 'Gets the provider'],
  ['attestationProviders/write', 'Attestation Provider', 'Creates or updates the provider'],
  ['attestationProviders/delete', 'Attestation Provider', 'Deletes the provider'],
]

const PROVIDERS = [
  { namespace: 'Microsoft.KeyVault', provider: 'Microsoft Key Vault', rows: KEY_VAULT, tellsKind: true },
  { namespace: 'Microsoft.Attestation', provider: 'Microsoft Azure Attestation', rows: ATTESTATION, tellsKind: false },
]

/** Undefined: a provider whose operations are not kept here. */
export function viewOperations(namespace: string): object[] | undefined {
  const found = PROVIDERS.find((each) => each.namespace.toLowerCase() === namespace.toLowerCase())
  return found?.rows.map(([action, resource, operation]) => ({
    name: `${found.namespace}/${action}`,
    display: { provider: found.provider, resource, operation, description: operation },
    ...(found.tellsKind && { isDataAction: false }),
  }))
}
