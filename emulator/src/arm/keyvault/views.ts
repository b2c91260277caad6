import type { DeletedVaultRecord, EmulatorContext, VaultRecord } from '../../core/index.ts'
import { scopeContains } from '../../rbac/index.ts'
import type { ArmResource } from '../providers/types.ts'

/** From this api-version on the answers tell these members even when nobody set them. */
const TELLS_DEFAULTS = '2021-10-01'
export const NEWEST = '2026-02-01'

export function viewVault(record: VaultRecord, apiVersion = NEWEST): ArmResource {
  const { softDeleteRetentionInDays, enableRbacAuthorization, networkAcls } = record
  const tells = apiVersion >= TELLS_DEFAULTS
  return {
    id: record.id,
    name: record.name,
    type: 'Microsoft.KeyVault/vaults',
    location: record.location,
    tags: record.tags ?? {},
    properties: {
      sku: { family: 'A', name: record.sku },
      tenantId: record.tenantId,
      ...(networkAcls !== undefined && { networkAcls }),
      accessPolicies: record.accessPolicies ?? [],
      enabledForDeployment: record.enabledForDeployment ?? false,
      enabledForDiskEncryption: record.enabledForDiskEncryption ?? false,
      enabledForTemplateDeployment: record.enabledForTemplateDeployment ?? false,
      enableSoftDelete: true,
      ...((tells || softDeleteRetentionInDays !== 90) && { softDeleteRetentionInDays }),
      ...((tells || enableRbacAuthorization) && { enableRbacAuthorization }),
      ...(record.enablePurgeProtection && { enablePurgeProtection: true }),
      vaultUri: `https://${record.host}/`,
      provisioningState: 'Succeeded',
      ...(tells && { publicNetworkAccess: record.publicNetworkAccess ?? 'Enabled' }),
    },
  }
}

export function viewManagedHsm(record: VaultRecord, { seed, clock }: EmulatorContext): ArmResource {
  const provisioning = (record.provisionedAtMs ?? 0) > clock.now()
  return {
    id: record.id,
    name: record.name,
    type: 'Microsoft.KeyVault/managedHSMs',
    location: record.location,
    tags: record.tags ?? {},
    sku: { family: record.sku.includes('_C') ? 'C' : 'B', name: record.sku },
    properties: {
      tenantId: record.tenantId,
      initialAdminObjectIds: record.initialAdminObjectIds ?? [seed.admin.objectId],
      hsmUri: `https://${record.host}/`,
      enableSoftDelete: true,
      softDeleteRetentionInDays: record.softDeleteRetentionInDays,
      enablePurgeProtection: record.enablePurgeProtection,
      ...(record.networkAcls !== undefined && { networkAcls: record.networkAcls }),
      provisioningState: provisioning ? 'Provisioning' : 'Succeeded',
      statusMessage: provisioning
        ? 'Resource creation in progress.'
        : 'The Managed HSM is provisioned and ready to use.',
      publicNetworkAccess: record.publicNetworkAccess ?? 'Enabled',
      regions: [],
      securityDomainProperties: { activationStatus: 'Active', activationStatusMessage: 'Your HSM has been activated.' },
    },
  }
}

/** An entry of `deletedVaults` or `deletedManagedHSMs`. */
export function viewDeleted({ vault, deletedAtMs, scheduledPurgeMs }: DeletedVaultRecord): ArmResource {
  const isVault = vault.kind === 'vault'
  const type = isVault ? 'deletedVaults' : 'deletedManagedHSMs'
  const subscription = vault.id.split('/').slice(0, 3).join('/')
  return {
    id: `${subscription}/providers/Microsoft.KeyVault/locations/${vault.location}/${type}/${vault.name}`,
    name: vault.name,
    type: `Microsoft.KeyVault/${type}`,
    properties: {
      [isVault ? 'vaultId' : 'mhsmId']: vault.id,
      location: vault.location,
      tags: vault.tags ?? {},
      deletionDate: wholeSeconds(deletedAtMs),
      scheduledPurgeDate: wholeSeconds(scheduledPurgeMs),
      ...(vault.enablePurgeProtection && { purgeProtectionEnabled: true }),
    },
  }
}

export const isBelow = (scope: string) => (record: VaultRecord) => scopeContains(scope, record.id)

const wholeSeconds = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`
