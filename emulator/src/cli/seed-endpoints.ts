import { groupId, seedResources, templateGuid } from '../arm/index.ts'
import type { Endpoints } from '../control/instance.ts'
import {
  COLLECTIONS,
  type ContainerGroupIdentityRecord,
  type EmulatorContext,
  LOCAL_GUEST,
  type RoleAssignmentRecord,
} from '../core/index.ts'
import { createSystemAssignedIdentity } from '../entra/index.ts'
import { CRYPTO_SERVICE_RELEASE_USER, createLocalRbac } from '../keyvault/index.ts'
import { findRoleByRoleName } from '../rbac/index.ts'

const LOCATION = 'westeurope'
const GROUP = 'skerry'
const NAME = 'skerry'

/**
 * What a client of `skerry up` may count on: a vault, a managed HSM and an attestation provider, in one resource group;
 * and an identity for the programs of `skerry run`, which may have keys of both released and nothing else.
 */
export function seedEndpoints(context: EmulatorContext): Endpoints {
  seedResources(context, {
    resourceGroups: [{ name: GROUP, location: LOCATION }],
    vaults: [{ name: NAME, resourceGroup: GROUP, location: LOCATION }],
    managedHsms: [{ name: NAME, resourceGroup: GROUP, location: LOCATION }],
    attestationProviders: [{ host: 'sharedweu.weu.attest.azure.net' }],
  })
  seedLocalGuest(context)
  return {
    vault: `https://${NAME}.vault.azure.net`,
    mhsm: `https://${NAME}.managedhsm.azure.net`,
    maa: 'https://sharedweu.weu.attest.azure.net',
    arm: 'https://management.azure.com',
  }
}

function seedLocalGuest(context: EmulatorContext): void {
  const { store, random, seed } = context
  const identities = store.collection<ContainerGroupIdentityRecord>(COLLECTIONS.containerGroupIdentities)
  if (identities.has(LOCAL_GUEST)) return
  const resourceGroup = groupId(seed.subscriptionId, GROUP)
  store.transaction(() => {
    const { objectId } = createSystemAssignedIdentity(context, 'skerry-run')
    identities.put(LOCAL_GUEST, {
      groupId: `${resourceGroup}/providers/Microsoft.ContainerInstance/containerGroups/skerry-run`,
      userAssigned: [],
      systemAssignedPrincipalId: objectId,
    })
    const assignment = releaseRole(context, `${resourceGroup}/providers/Microsoft.KeyVault/vaults/${NAME}`, objectId)
    store.collection<RoleAssignmentRecord>(COLLECTIONS.roleAssignments).put(assignment.id.toLowerCase(), assignment)
    createLocalRbac(context).put({
      host: `${NAME}.managedhsm.azure.net`,
      name: random.uuid(),
      scope: '/keys',
      role: CRYPTO_SERVICE_RELEASE_USER,
      principalId: objectId,
    })
  })
}

function releaseRole({ seed, clock }: EmulatorContext, scope: string, principalId: string): RoleAssignmentRecord {
  const roleName = 'Key Vault Crypto Service Release User'
  const name = templateGuid(scope, principalId, roleName)
  const definitions = `/subscriptions/${seed.subscriptionId}/providers/Microsoft.Authorization/roleDefinitions`
  return {
    id: `${scope}/providers/Microsoft.Authorization/roleAssignments/${name}`,
    name,
    scope,
    roleDefinitionId: `${definitions}/${findRoleByRoleName(roleName)?.name}`,
    principalId,
    principalType: 'ServicePrincipal',
    createdOn: new Date(clock.now()).toISOString(),
    createdBy: seed.admin.objectId,
  }
}
