import type { EmulatorContext, VaultRecord } from '../../core/index.ts'
import { jsonText } from '../../core/json-text.ts'
import { normalLocation, type PutRequest, propertiesOf, tagsOf } from '../providers/types.ts'
import { readAccessPolicies } from './access-policies.ts'
import { badRequest, isVaultName, vaultErrors } from './errors.ts'
import { readNetworkRules, readPublicNetworkAccess } from './network-rules.ts'

/** What a PUT or PATCH makes of a vault or managed HSM. A PUT says all of it, a PATCH only what it names. */

type Properties = Readonly<Record<string, unknown>>
type Way = 'put' | 'patch'

/** From this api-version on a new vault uses role assignments unless it says otherwise (Key Vault ARM reference). */
const RBAC_BY_DEFAULT = '2026-02-01'

export function vaultRecord(ctx: EmulatorContext, request: PutRequest, before: VaultRecord | undefined, way: Way) {
  const properties = propertiesOf(request.body)
  if (properties.enableSoftDelete === false) {
    throw badRequest(
      `The property "enableSoftDelete" can be set to false only for creating new vault. Enabling the 'soft delete' functionality is an irreversible action.`,
    )
  }
  if (properties.enablePurgeProtection === false) {
    throw badRequest(
      'The property "enablePurgeProtection" cannot be set to false. Enabling the purge protection for a vault is an irreversible action.',
    )
  }
  const kept = way === 'patch' ? before : undefined
  const policies = properties.accessPolicies
  const record: VaultRecord = {
    ...common(ctx, request, before, way, 'vault.azure.net'),
    kind: 'vault',
    sku: readVaultSku(properties.sku) ?? before?.sku ?? 'standard',
    enableRbacAuthorization:
      flag(properties, 'enableRbacAuthorization') ??
      before?.enableRbacAuthorization ??
      request.apiVersion >= RBAC_BY_DEFAULT,
    enablePurgeProtection: properties.enablePurgeProtection === true || before?.enablePurgeProtection === true,
    accessPolicies: policies == null ? (kept?.accessPolicies ?? []) : readAccessPolicies(policies, ctx.seed.tenantId),
    enabledForDeployment: flag(properties, 'enabledForDeployment') ?? kept?.enabledForDeployment ?? false,
    enabledForDiskEncryption: flag(properties, 'enabledForDiskEncryption') ?? kept?.enabledForDiskEncryption ?? false,
    enabledForTemplateDeployment:
      flag(properties, 'enabledForTemplateDeployment') ?? kept?.enabledForTemplateDeployment ?? false,
  }
  return record
}

const HSM_SKUS = new Set(['standard_b1', 'custom_b32', 'custom_b6', 'custom_c42', 'custom_c10'])

export function managedHsmRecord(ctx: EmulatorContext, request: PutRequest, before: VaultRecord | undefined, way: Way) {
  const properties = propertiesOf(request.body)
  const sku = skuName(request.body.sku) ?? before?.sku ?? 'Standard_B1'
  if (!HSM_SKUS.has(sku.toLowerCase())) throw badRequest(`The sku '${sku}' is not one of a managed HSM.`)
  if (properties.enablePurgeProtection === false && before?.enablePurgeProtection) {
    throw badRequest('The property "enablePurgeProtection" cannot be set to false once it is true.')
  }
  const admins = readAdmins(properties.initialAdminObjectIds, before)
  const record: VaultRecord = {
    ...common(ctx, request, before, way, 'managedhsm.azure.net'),
    kind: 'managedHsm',
    sku,
    enableRbacAuthorization: true,
    // Unlike a vault, a managed HSM is protected unless it says otherwise.
    enablePurgeProtection: flag(properties, 'enablePurgeProtection') ?? before?.enablePurgeProtection ?? true,
    ...(admins !== undefined && { initialAdminObjectIds: admins }),
    ...(before?.provisionedAtMs !== undefined && { provisionedAtMs: before.provisionedAtMs }),
  }
  return record
}

/** Named once, when it is made; afterwards its own role assignments say who administers it. */
function readAdmins(value: unknown, before: VaultRecord | undefined): readonly string[] | undefined {
  if (before !== undefined) return before.initialAdminObjectIds
  const named = Array.isArray(value) && value.length > 0 && value.every((id) => typeof id === 'string' && id !== '')
  if (named) return value as string[]
  throw badRequest('The property "initialAdminObjectIds" must name at least one administrator of the managed HSM.')
}

function common(
  ctx: EmulatorContext,
  { id, name, body }: PutRequest,
  before: VaultRecord | undefined,
  way: Way,
  zone: string,
) {
  if (!isVaultName(name)) throw vaultErrors.nameNotValid(name)
  const properties = propertiesOf(body)
  const { tenantId, networkAcls, publicNetworkAccess } = properties
  const kept = way === 'patch' ? before : undefined
  const location = normalLocation(body.location, before?.location ?? 'westeurope')
  if (before !== undefined && location !== before.location) {
    const group = before.id.split('/')[4] ?? ''
    throw vaultErrors.otherLocation(name, group, before.location, location)
  }
  if (tenantId != null && jsonText(tenantId).toLowerCase() !== ctx.seed.tenantId.toLowerCase()) {
    throw badRequest(
      `The tenant ID '${jsonText(tenantId)}' of the vault is not the tenant of its subscription, '${ctx.seed.tenantId}'.`,
    )
  }
  const tags = tagsOf(body) ?? kept?.tags
  const rules = networkAcls == null ? kept?.networkAcls : readNetworkRules(networkAcls)
  const access = publicNetworkAccess == null ? kept?.publicNetworkAccess : readPublicNetworkAccess(publicNetworkAccess)
  return {
    name: before?.name ?? name,
    id: before?.id ?? id,
    host: `${name.toLowerCase()}.${zone}`,
    location,
    tenantId: ctx.seed.tenantId,
    softDeleteRetentionInDays: retention(properties, before),
    ...(tags !== undefined && { tags }),
    ...(rules !== undefined && { networkAcls: rules }),
    ...(access !== undefined && { publicNetworkAccess: access }),
  }
}

function retention(properties: Properties, before: VaultRecord | undefined): number {
  const given = properties.softDeleteRetentionInDays ?? before?.softDeleteRetentionInDays ?? 90
  // `az keyvault create --hsm-name` sends its --retention-days as a string.
  const days = typeof given === 'string' && /^\d{1,3}$/.test(given) ? Number(given) : given
  if (typeof days !== 'number' || !Number.isInteger(days) || days < 7 || days > 90) {
    throw badRequest('The property "softDeleteRetentionInDays" must be between 7 and 90.')
  }
  if (before !== undefined && days !== before.softDeleteRetentionInDays) {
    throw badRequest(`The property "softDeleteRetentionInDays" has been set already and it can't be modified.`)
  }
  return days
}

function flag(properties: Properties, member: string): boolean | undefined {
  const value = properties[member]
  if (value == null || typeof value === 'boolean') return value ?? undefined
  throw badRequest(`The property "${member}" must be true or false.`)
}

function readVaultSku(value: unknown): string | undefined {
  const name = skuName(value)?.toLowerCase()
  if (name === undefined || name === 'standard' || name === 'premium') return name
  throw badRequest('The property "sku.name" must be standard or premium.')
}

const skuName = (value: unknown): string | undefined => {
  const name = (value as { readonly name?: unknown } | null | undefined)?.name
  return typeof name === 'string' ? name : undefined
}
