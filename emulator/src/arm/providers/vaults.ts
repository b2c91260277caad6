import { COLLECTIONS, type EmulatorContext, type VaultRecord } from '../../core/index.ts'
import { ArmError, notCovered } from '../error.ts'
import { type ArmResource, normalLocation, type PutRequest, propertiesOf, type ResourceType, tagsOf } from './types.ts'

/** From this api-version on a new vault uses role assignments unless it says otherwise (Key Vault ARM reference). */
const RBAC_BY_DEFAULT = '2026-02-01'

/** Microsoft.KeyVault/vaults: the management side; what is inside is the Key Vault service's. */
export function vaults(ctx: EmulatorContext): ResourceType {
  const records = ctx.store.collection<VaultRecord>(COLLECTIONS.vaults)
  const byId = (id: string) => findRecord(records.values(), 'vault', id)
  return {
    type: 'Microsoft.KeyVault/vaults',
    get(id) {
      const record = byId(id)
      return record && viewVault(record)
    },
    list: (scope) => below(records.values(), 'vault', scope).map(viewVault),
    async put(request) {
      const before = byId(request.id)
      const record = vaultRecord(ctx, request, before)
      refuseTaken(records.get(record.host), request)
      records.put(record.host, record)
      const view = viewVault(record)
      if (before !== undefined) return { status: 200, body: view }
      // Only the answer to the PUT that made it shows this state, and the URI in the name's own case without a slash.
      const vaultUri = `https://${record.name}.vault.azure.net`
      const properties = { ...(view.properties as object), vaultUri, provisioningState: 'RegisteringDns' }
      return { status: 200, body: { ...view, properties } }
    },
    async delete(id) {
      const record = byId(id)
      if (record === undefined) return undefined
      records.delete(record.host)
      return { status: 200 }
    },
    setTags(id, tags) {
      const record = { ...(byId(id) as VaultRecord), tags }
      records.put(record.host, record)
      return viewVault(record)
    },
  }
}

/** Microsoft.KeyVault/managedHSMs: one that exists is activated at once; its security domain is not modelled. */
export function managedHsms(ctx: EmulatorContext): ResourceType {
  const records = ctx.store.collection<VaultRecord>(COLLECTIONS.vaults)
  const byId = (id: string) => findRecord(records.values(), 'managedHsm', id)
  return {
    type: 'Microsoft.KeyVault/managedHSMs',
    get(id) {
      const record = byId(id)
      return record && viewManagedHsm(record, ctx)
    },
    list: (scope) => below(records.values(), 'managedHsm', scope).map((record) => viewManagedHsm(record, ctx)),
    async put(request) {
      const properties = propertiesOf(request.body)
      const before = byId(request.id)
      const record: VaultRecord = {
        ...commonRecord(ctx, request, before),
        kind: 'managedHsm',
        host: `${request.name.toLowerCase()}.managedhsm.azure.net`,
        sku: skuName(request.body) ?? before?.sku ?? 'Standard_B1',
        enableRbacAuthorization: true,
        softDeleteRetentionInDays: retention(properties, before),
        enablePurgeProtection: properties.enablePurgeProtection === true || before?.enablePurgeProtection === true,
      }
      refuseTaken(records.get(record.host), request)
      records.put(record.host, record)
      return { status: 200, body: viewManagedHsm(record, ctx) }
    },
    async delete(id) {
      const record = byId(id)
      if (record === undefined) return undefined
      records.delete(record.host)
      return { status: 200 }
    },
  }
}

function vaultRecord(ctx: EmulatorContext, request: PutRequest, before: VaultRecord | undefined): VaultRecord {
  const { name, body, apiVersion } = request
  if (!/^(?!.*--)[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]$/.test(name)) {
    throw new ArmError(400, {
      code: 'VaultNameNotValid',
      message: `The vault name '${name}' is invalid. A vault's name must be between 3-24 alphanumeric characters. The name must begin with a letter, end with a letter or digit, and not contain consecutive hyphens. Follow this link for more information: https://go.microsoft.com/fwlink/?linkid=2147742`,
    })
  }
  const properties = propertiesOf(body)
  const rbac = properties.enableRbacAuthorization ?? before?.enableRbacAuthorization ?? apiVersion >= RBAC_BY_DEFAULT
  const policies = properties.accessPolicies
  if (rbac !== true && Array.isArray(policies) && policies.length > 0) {
    throw notCovered('access policies of a vault; set enableRbacAuthorization and assign roles')
  }
  return {
    ...commonRecord(ctx, request, before),
    kind: 'vault',
    host: `${name.toLowerCase()}.vault.azure.net`,
    sku: (skuName(body) ?? before?.sku ?? 'standard').toLowerCase(),
    enableRbacAuthorization: rbac === true,
    softDeleteRetentionInDays: retention(properties, before),
    enablePurgeProtection: properties.enablePurgeProtection === true || before?.enablePurgeProtection === true,
  }
}

function commonRecord(ctx: EmulatorContext, { id, name, body }: PutRequest, before: VaultRecord | undefined) {
  const tags = tagsOf(body) ?? before?.tags
  const { tenantId } = propertiesOf(body)
  if (tenantId !== undefined && tenantId !== ctx.seed.tenantId) {
    throw new ArmError(400, {
      code: 'BadRequest',
      message: `The tenant ID '${String(tenantId)}' of the vault is not the tenant of its subscription, '${ctx.seed.tenantId}'.`,
    })
  }
  return {
    name: before?.name ?? name,
    id: before?.id ?? id,
    location: before?.location ?? normalLocation(body.location, 'westeurope'),
    tenantId: ctx.seed.tenantId,
    ...(tags !== undefined && { tags }),
  }
}

function skuName(body: Readonly<Record<string, unknown>>): string | undefined {
  const sku = (propertiesOf(body).sku ?? body.sku) as { readonly name?: unknown } | undefined
  return typeof sku?.name === 'string' ? sku.name : undefined
}

function retention(properties: Readonly<Record<string, unknown>>, before: VaultRecord | undefined): number {
  const days = properties.softDeleteRetentionInDays ?? before?.softDeleteRetentionInDays ?? 90
  if (typeof days === 'number' && Number.isInteger(days) && days >= 7 && days <= 90) return days
  throw new ArmError(400, {
    code: 'BadRequest',
    message: 'The property "softDeleteRetentionInDays" must be between 7 and 90.',
  })
}

/** Names of vaults are unique in the world: here, in this emulator. */
function refuseTaken(holder: VaultRecord | undefined, { id, name }: PutRequest): void {
  if (holder === undefined || holder.id.toLowerCase() === id.toLowerCase()) return
  throw new ArmError(409, {
    code: 'VaultAlreadyExists',
    message: `The vault name '${name}' is already in use. Vault names are globally unique so it is possible that the name is already taken. If you are sure that the vault name was not taken then it is possible that a vault with the same name was recently deleted but not purged after being placed in a recoverable state. Follow this link for more information https://go.microsoft.com/fwlink/?linkid=2147740`,
  })
}

function findRecord(records: readonly VaultRecord[], kind: VaultRecord['kind'], id: string): VaultRecord | undefined {
  return records.find((record) => record.kind === kind && record.id.toLowerCase() === id.toLowerCase())
}

function below(records: readonly VaultRecord[], kind: VaultRecord['kind'], scope: string): VaultRecord[] {
  const prefix = `${scope.toLowerCase()}/`
  return records.filter((record) => record.kind === kind && record.id.toLowerCase().startsWith(prefix))
}

function viewVault(record: VaultRecord): ArmResource {
  return {
    id: record.id,
    name: record.name,
    type: 'Microsoft.KeyVault/vaults',
    location: record.location,
    tags: record.tags ?? {},
    properties: {
      sku: { family: 'A', name: record.sku },
      tenantId: record.tenantId,
      accessPolicies: [],
      enabledForDeployment: false,
      enabledForDiskEncryption: false,
      enabledForTemplateDeployment: false,
      enableSoftDelete: true,
      softDeleteRetentionInDays: record.softDeleteRetentionInDays,
      enableRbacAuthorization: record.enableRbacAuthorization,
      ...(record.enablePurgeProtection && { enablePurgeProtection: true }),
      vaultUri: `https://${record.host}/`,
      provisioningState: 'Succeeded',
      publicNetworkAccess: 'Enabled',
    },
  }
}

function viewManagedHsm(record: VaultRecord, ctx: EmulatorContext): ArmResource {
  return {
    id: record.id,
    name: record.name,
    type: 'Microsoft.KeyVault/managedHSMs',
    location: record.location,
    tags: record.tags ?? {},
    sku: { family: record.sku.includes('_C') ? 'C' : 'B', name: record.sku },
    properties: {
      tenantId: record.tenantId,
      initialAdminObjectIds: [ctx.seed.admin.objectId],
      hsmUri: `https://${record.host}/`,
      enableSoftDelete: true,
      softDeleteRetentionInDays: record.softDeleteRetentionInDays,
      enablePurgeProtection: record.enablePurgeProtection,
      provisioningState: 'Succeeded',
      statusMessage: 'The Managed HSM is provisioned and ready to use.',
      publicNetworkAccess: 'Enabled',
      securityDomainProperties: { activationStatus: 'Active', activationStatusMessage: 'Your HSM has been activated.' },
    },
  }
}
