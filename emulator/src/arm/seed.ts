import {
  type AttestationProviderRecord,
  COLLECTIONS,
  type EmulatorContext,
  type RoleAssignmentRecord,
  type VaultRecord,
} from '../core/index.ts'
import { findRoleByRoleName } from '../rbac/index.ts'
import { groupId } from './address.ts'
import { openResourceGroups } from './groups.ts'
import { subscriptionsOf } from './subscriptions.ts'
import { templateGuid } from './template/index.ts'

/** Names that shall exist: what a run's template and configuration take as given. */
export interface SeedResources {
  readonly resourceGroups?: readonly {
    readonly name: string
    readonly location?: string
    readonly subscriptionId?: string
  }[]
  readonly vaults?: readonly SeedVault[]
  readonly managedHsms?: readonly SeedVault[]
  /** Host names of attestation providers: `sharedweu.weu.attest.azure.net`. */
  readonly attestationProviders?: readonly { readonly host: string }[]
}

export interface SeedVault {
  readonly name: string
  readonly resourceGroup: string
  readonly location?: string
  readonly subscriptionId?: string
}

const LOCATION = 'westeurope'

/**
 * The subscription (the seeded one unless another is named) and its administrator: Owner and Key Vault Administrator.
 * Changes nothing that is there.
 */
export function seedSubscription(ctx: EmulatorContext, subscriptionId = ctx.seed.subscriptionId): void {
  const subscriptions = subscriptionsOf(ctx)
  if (subscriptions.has(subscriptionId.toLowerCase())) return
  ctx.store.transaction(() => {
    subscriptions.put(subscriptionId.toLowerCase(), { subscriptionId, displayName: 'Skerry' })
    for (const roleName of ['Owner', 'Key Vault Administrator']) assignToAdmin(ctx, subscriptionId, roleName)
  })
}

/** Makes resource groups, premium vaults, managed HSMs and attestation providers exist. Changes nothing that is there. */
export function seedResources(ctx: EmulatorContext, resources: SeedResources): void {
  seedSubscription(ctx)
  const groups = openResourceGroups(ctx)
  const ensureGroup = (name: string, location = LOCATION, subscriptionId = ctx.seed.subscriptionId) => {
    seedSubscription(ctx, subscriptionId)
    return groups.get(subscriptionId, name) ?? groups.put(subscriptionId, name, { location }).record
  }
  ctx.store.transaction(() => {
    for (const { name, location, subscriptionId } of resources.resourceGroups ?? []) {
      ensureGroup(name, location, subscriptionId)
    }
    for (const vault of resources.vaults ?? []) {
      seedVault(ctx, vault, 'vault')
      ensureGroup(vault.resourceGroup, vault.location, vault.subscriptionId)
    }
    for (const hsm of resources.managedHsms ?? []) {
      seedVault(ctx, hsm, 'managedHsm')
      ensureGroup(hsm.resourceGroup, hsm.location, hsm.subscriptionId)
    }
    for (const { host } of resources.attestationProviders ?? []) seedProvider(ctx, host.toLowerCase())
  })
}

function assignToAdmin(ctx: EmulatorContext, subscriptionId: string, roleName: string): void {
  const scope = `/subscriptions/${subscriptionId}`
  const name = templateGuid(scope, ctx.seed.admin.objectId, roleName)
  const record: RoleAssignmentRecord = {
    id: `${scope}/providers/Microsoft.Authorization/roleAssignments/${name}`,
    name,
    scope,
    roleDefinitionId: `${scope}/providers/Microsoft.Authorization/roleDefinitions/${findRoleByRoleName(roleName)?.name}`,
    principalId: ctx.seed.admin.objectId,
    principalType: 'ServicePrincipal',
    createdOn: new Date(ctx.clock.now()).toISOString(),
    createdBy: ctx.seed.admin.objectId,
  }
  ctx.store.collection<RoleAssignmentRecord>(COLLECTIONS.roleAssignments).put(record.id.toLowerCase(), record)
}

function seedVault(ctx: EmulatorContext, vault: SeedVault, kind: VaultRecord['kind']): void {
  const records = ctx.store.collection<VaultRecord>(COLLECTIONS.vaults)
  const isVault = kind === 'vault'
  const host = `${vault.name.toLowerCase()}.${isVault ? 'vault' : 'managedhsm'}.azure.net`
  if (records.has(host)) return
  const group = groupId(vault.subscriptionId ?? ctx.seed.subscriptionId, vault.resourceGroup)
  records.put(host, {
    kind,
    name: vault.name,
    host,
    id: `${group}/providers/Microsoft.KeyVault/${isVault ? 'vaults' : 'managedHSMs'}/${vault.name}`,
    location: vault.location ?? LOCATION,
    tenantId: ctx.seed.tenantId,
    sku: isVault ? 'premium' : 'Standard_B1',
    enableRbacAuthorization: true,
    softDeleteRetentionInDays: 90,
    enablePurgeProtection: false,
  })
}

/** The regional shared providers (`sharedweu.weu…`) belong to nobody; any other one gets no ARM resource either. */
function seedProvider(ctx: EmulatorContext, host: string): void {
  const records = ctx.store.collection<AttestationProviderRecord>(COLLECTIONS.attestationProviders)
  if (records.has(host)) return
  const [name = host, region = ''] = host.split('.')
  const trustModel = name === `shared${region}` ? 'Shared' : 'AAD'
  records.put(host, { name, host, trustModel })
}
