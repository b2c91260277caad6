import type { Credentials, Endpoints, ManagedIdentity } from '../../control/instance.ts'
import {
  COLLECTIONS,
  type ContainerGroupIdentityRecord,
  type EmulatorContext,
  LOCAL_GUEST,
  type ManagedIdentityRecord,
  type VaultRecord,
} from '../../core/index.ts'
import type { SeedDocument } from '../../seed/index.ts'

/** What a client of an instance is told of it. */
export interface World {
  readonly endpoints: Endpoints
  readonly credentials: Credentials
  /** The one that a program of this machine is, unless it asks for another. */
  readonly managedIdentity?: ManagedIdentity
}

/** @param document the seed it was started with: its first vault and managed HSM are the ones to name */
export function worldOf({ store, seed }: EmulatorContext, document: SeedDocument = {}): World {
  const vaults = store.collection<VaultRecord>(COLLECTIONS.vaults).values()
  const first = (kind: VaultRecord['kind'], name: string | undefined) => {
    const ofKind = vaults.filter((vault) => vault.kind === kind)
    return (ofKind.find((vault) => vault.name.toLowerCase() === name?.toLowerCase()) ?? ofKind[0])?.host
  }
  const vault = first('vault', document.vaults?.[0]?.name)
  const mhsm = first('managedHsm', document.managedHsms?.[0]?.name)
  const managedIdentity = identityOf(store)
  return {
    endpoints: {
      ...(vault !== undefined && { vault: `https://${vault}` }),
      ...(mhsm !== undefined && { mhsm: `https://${mhsm}` }),
      maa: `https://${document.attestationProviders?.[0]?.host ?? 'sharedweu.weu.attest.azure.net'}`,
      arm: 'https://management.azure.com',
    },
    credentials: {
      tenantId: seed.tenantId,
      clientId: seed.admin.clientId,
      clientSecret: seed.admin.clientSecret,
      subscriptionId: seed.subscriptionId,
    },
    ...(managedIdentity !== undefined && { managedIdentity }),
  }
}

function identityOf(store: EmulatorContext['store']): ManagedIdentity | undefined {
  const local = store
    .collection<ContainerGroupIdentityRecord>(COLLECTIONS.containerGroupIdentities)
    .get(LOCAL_GUEST)?.systemAssignedPrincipalId
  const identities = store.collection<ManagedIdentityRecord>(COLLECTIONS.managedIdentities).values()
  const found = identities.find(({ principalId }) => principalId === local) ?? identities[0]
  return found && { clientId: found.clientId, principalId: found.principalId, resourceId: found.id }
}
