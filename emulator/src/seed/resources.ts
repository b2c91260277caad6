import { openResourceGroups } from '../arm/groups.ts'
import { groupId } from '../arm/index.ts'
import {
  type AccessPolicy,
  type AttestationProviderRecord,
  COLLECTIONS,
  type DeletedVaultRecord,
  type EmulatorContext,
  type VaultRecord,
} from '../core/index.ts'
import { LOCATION, type Principals } from './directory.ts'
import type { SeedDocument, SeedManagedHsm, SeedVault } from './schema.ts'

/** Resource groups, vaults, managed HSMs and attestation providers; called in a transaction. */
export function plantResources(ctx: EmulatorContext, document: SeedDocument, principals: Principals): void {
  const groups = openResourceGroups(ctx)
  const { subscriptionId } = ctx.seed
  const {
    resourceGroups = [],
    vaults = [],
    managedHsms = [],
    managedIdentities = [],
    attestationProviders = [],
  } = document
  for (const { name, location = LOCATION, tags } of resourceGroups) {
    if (groups.get(subscriptionId, name) !== undefined) continue
    groups.put(subscriptionId, name, { location, ...(tags !== undefined && { tags }) })
  }
  for (const { resourceGroup, location = LOCATION } of [...vaults, ...managedHsms, ...managedIdentities]) {
    if (groups.get(subscriptionId, resourceGroup) === undefined) groups.put(subscriptionId, resourceGroup, { location })
  }

  const records = ctx.store.collection<VaultRecord>(COLLECTIONS.vaults)
  for (const record of [
    ...vaults.map((vault, at) => vaultRecord(ctx, vault, at, principals)),
    ...managedHsms.map((hsm, at) => managedHsmRecord(ctx, hsm, at, principals)),
  ]) {
    if (findVault(ctx, record.host) === undefined) records.put(record.host, record)
  }

  const providers = ctx.store.collection<AttestationProviderRecord>(COLLECTIONS.attestationProviders)
  for (const { host } of attestationProviders) {
    const [name = host, region = ''] = host.split('.')
    const trustModel = name === `shared${region}` ? 'Shared' : 'AAD'
    if (!providers.has(host)) providers.put(host, { name, host, trustModel })
  }
}

/** A vault or managed HSM by its host; one that was deleted exists until it is purged. */
export function findVault({ store }: EmulatorContext, host: string): VaultRecord | undefined {
  return (
    store.collection<VaultRecord>(COLLECTIONS.vaults).get(host) ??
    store.collection<DeletedVaultRecord>(COLLECTIONS.deletedVaults).get(host)?.vault
  )
}

export const vaultHost = (name: string): string => `${name.toLowerCase()}.vault.azure.net`
export const managedHsmHost = (name: string): string => `${name.toLowerCase()}.managedhsm.azure.net`

function vaultRecord(ctx: EmulatorContext, vault: SeedVault, at: number, principals: Principals): VaultRecord {
  const { tenantId } = ctx.seed
  const policies = vault.accessPolicies?.map(({ principal, keys }, which): AccessPolicy => {
    const path = ['vaults', at, 'accessPolicies', which, 'principal']
    return { tenantId, objectId: principals.idOf(principal, path), permissions: { keys } }
  })
  return {
    ...common(ctx, vault, 'vaults'),
    kind: 'vault',
    host: vaultHost(vault.name),
    sku: vault.sku ?? 'premium',
    enableRbacAuthorization: vault.enableRbacAuthorization ?? policies === undefined,
    ...(policies !== undefined && { accessPolicies: policies }),
  }
}

function managedHsmRecord(ctx: EmulatorContext, hsm: SeedManagedHsm, at: number, principals: Principals): VaultRecord {
  const admins = hsm.initialAdmins?.map((name, which) =>
    principals.idOf(name, ['managedHsms', at, 'initialAdmins', which]),
  )
  return {
    ...common(ctx, hsm, 'managedHSMs'),
    kind: 'managedHsm',
    host: managedHsmHost(hsm.name),
    sku: hsm.sku ?? 'Standard_B1',
    enableRbacAuthorization: true,
    ...(admins !== undefined && { initialAdminObjectIds: admins }),
  }
}

function common({ seed }: EmulatorContext, vault: SeedVault | SeedManagedHsm, type: 'vaults' | 'managedHSMs') {
  const { name, resourceGroup, location = LOCATION, tags } = vault
  return {
    name,
    id: `${groupId(seed.subscriptionId, resourceGroup)}/providers/Microsoft.KeyVault/${type}/${name}`,
    location,
    tenantId: seed.tenantId,
    softDeleteRetentionInDays: vault.softDeleteRetentionInDays ?? 90,
    enablePurgeProtection: vault.enablePurgeProtection ?? false,
    ...(tags !== undefined && { tags }),
  }
}
