import { AuthorizationManagementClient } from '@azure/arm-authorization'
import { ContainerInstanceManagementClient } from '@azure/arm-containerinstance'
import { KeyVaultManagementClient } from '@azure/arm-keyvault'
import { ManagedServiceIdentityClient } from '@azure/arm-msi'
import { ResourceManagementClient } from '@azure/arm-resources'
import { DeploymentsClient } from '@azure/arm-resourcesdeployments'
import { DefaultAzureCredential, type TokenCredential } from '@azure/identity'
import { CryptographyClient, KeyClient } from '@azure/keyvault-keys'

/**
 * The one place where clients of Azure are made. One credential for the life of the process, so that its token cache
 * serves every activity: a managed identity on Azure, whatever the environment offers elsewhere.
 */
let shared: TokenCredential | undefined

export function credential(): TokenCredential {
  shared ??= new DefaultAzureCredential()
  return shared
}

export const clients = {
  keys: (vaultUrl: string) => new KeyClient(vaultUrl, credential()),
  cryptography: (keyId: string) => new CryptographyClient(keyId, credential()),
  vaults: (subscriptionId: string) => new KeyVaultManagementClient(credential(), subscriptionId),
  identities: (subscriptionId: string) => new ManagedServiceIdentityClient(credential(), subscriptionId),
  roles: (subscriptionId: string) => new AuthorizationManagementClient(credential(), subscriptionId),
  groups: (subscriptionId: string) => new ContainerInstanceManagementClient(credential(), subscriptionId),
  resources: (subscriptionId: string) => new ResourceManagementClient(credential(), subscriptionId),
  deployments: (subscriptionId: string) => new DeploymentsClient(credential(), subscriptionId),
} as const
