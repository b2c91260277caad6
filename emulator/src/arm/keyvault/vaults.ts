import { COLLECTIONS, type EmulatorContext, type VaultRecord } from '../../core/index.ts'
import { type PutRequest, propertiesOf, type ResourceType } from '../providers/types.ts'
import { managedHsmRecord, vaultRecord } from './bodies.ts'
import type { DeletedVaults } from './deleted.ts'
import { vaultErrors } from './errors.ts'
import { type KeyVaultOperations, OPERATION_TAKES_MS } from './operations.ts'
import { isBelow, viewManagedHsm, viewVault } from './views.ts'

export interface KeyVaultParts {
  readonly ctx: EmulatorContext
  readonly deleted: DeletedVaults
  readonly operations: KeyVaultOperations
}

/** A vault or managed HSM, and where it lives: what routes and types share. */
export interface VaultType extends ResourceType {
  record(id: string): VaultRecord | undefined
}

/** Microsoft.KeyVault/vaults: the management side; what is inside is the Key Vault service's. */
export function vaults(parts: KeyVaultParts): VaultType {
  const { ctx } = parts
  const store = openVaults(parts, 'vault')
  return {
    type: 'Microsoft.KeyVault/vaults',
    record: store.byId,
    get(id, apiVersion) {
      const record = store.byId(id)
      return record && viewVault(record, apiVersion)
    },
    list: (scope, apiVersion) => store.below(scope).map((record) => viewVault(record, apiVersion)),
    async put(request) {
      const before = store.byId(request.id)
      const recovered = store.recover(request, before)
      if (recovered !== undefined) return { status: 200, body: viewVault(recovered, request.apiVersion) }
      const record = store.put(request, vaultRecord(ctx, request, before, 'put'))
      const view = viewVault(record, request.apiVersion)
      if (before !== undefined) return { status: 200, body: view }
      // Only the answer to the PUT that made it shows this state, and the URI in the name's own case without a slash.
      const vaultUri = `https://${record.name}.vault.azure.net`
      const properties = { ...(view.properties as object), vaultUri, provisioningState: 'RegisteringDns' }
      return { status: 200, body: { ...view, properties } }
    },
    async patch(request) {
      const before = store.byId(request.id)
      const record = store.put(request, vaultRecord(ctx, request, before, 'patch'))
      return { status: 200, body: viewVault(record, request.apiVersion) }
    },
    async delete(id) {
      return store.remove(id) ? { status: 200 } : undefined
    },
  }
}

/** Microsoft.KeyVault/managedHSMs: one that exists is activated at once; its security domain is not modelled. */
export function managedHsms(parts: KeyVaultParts): VaultType {
  const { ctx, operations } = parts
  const store = openVaults(parts, 'managedHsm')
  /** Where the operation on a managed HSM is asked for; `result`: it ends with the resource. */
  const follow = ({ id, location }: VaultRecord, result?: 'result') => {
    const operation = operations.begin(result === undefined ? undefined : id)
    const subscription = id.split('/').slice(0, 3).join('/')
    return `${subscription}/providers/Microsoft.KeyVault/locations/${location}/managedHsmOperationResults/${operation.id}`
  }
  return {
    type: 'Microsoft.KeyVault/managedHSMs',
    record: store.byId,
    get(id) {
      const record = store.byId(id)
      return record && viewManagedHsm(record, ctx)
    },
    list: (scope) => store.below(scope).map((record) => viewManagedHsm(record, ctx)),
    async put(request) {
      const before = store.byId(request.id)
      const recovered = store.recover(request, before)
      if (recovered !== undefined) return { status: 200, body: viewManagedHsm(recovered, ctx) }
      const wanted = managedHsmRecord(ctx, request, before, 'put')
      if (before !== undefined) return { status: 200, body: viewManagedHsm(store.put(request, wanted), ctx) }
      const record = store.put(request, { ...wanted, provisionedAtMs: ctx.clock.now() + OPERATION_TAKES_MS })
      return { status: 202, body: viewManagedHsm(record, ctx), follow: follow(record, 'result') }
    },
    async patch(request) {
      const before = store.byId(request.id)
      const record = store.put(request, managedHsmRecord(ctx, request, before, 'patch'))
      return { status: 200, body: viewManagedHsm(record, ctx) }
    },
    async delete(id) {
      const record = store.byId(id)
      if (record === undefined) return undefined
      store.remove(id)
      return { status: 202, follow: follow(record) }
    },
  }
}

function openVaults({ ctx, deleted }: KeyVaultParts, kind: VaultRecord['kind']) {
  const records = ctx.store.collection<VaultRecord>(COLLECTIONS.vaults)
  const zone = kind === 'vault' ? 'vault.azure.net' : 'managedhsm.azure.net'
  const all = () => records.values().filter((record) => record.kind === kind)
  const byId = (id: string) => all().find((record) => record.id.toLowerCase() === id.toLowerCase())
  const note = (operation: string, { id }: VaultRecord, summary: string) =>
    ctx.journal.write({ service: 'arm', operation, outcome: 'done', subject: id, summary })

  return {
    byId,
    below: (scope: string) => all().filter(isBelow(scope)),
    put({ name }: PutRequest, record: VaultRecord): VaultRecord {
      const holder = records.get(record.host)
      if (holder !== undefined && holder.id.toLowerCase() !== record.id.toLowerCase()) {
        throw vaultErrors.alreadyExists(name)
      }
      if (holder === undefined && deleted.find(record.host) !== undefined) throw vaultErrors.deletedHasName()
      records.put(record.host, record)
      return record
    },
    /** The vault that `createMode` `recover` asks back, as it was; undefined when it asks for none. */
    recover({ id, name, body }: PutRequest, before: VaultRecord | undefined): VaultRecord | undefined {
      const { createMode } = propertiesOf(body)
      if (typeof createMode !== 'string' || createMode.toLowerCase() !== 'recover') return undefined
      if (before !== undefined) return before
      const found = deleted.find(`${name.toLowerCase()}.${zone}`)
      if (found === undefined) throw vaultErrors.deletedNotFound(name)
      // It comes back to where it was, and not while it is being purged.
      if (found.vault.id.toLowerCase() !== id.toLowerCase() || found.purgedAtMs !== undefined) {
        throw vaultErrors.deletedHasName()
      }
      const recovered = deleted.recover(found)
      note('recoverVault', recovered, `${recovered.name} is back with everything in it; its role assignments are not.`)
      return recovered
    },
    remove(id: string): boolean {
      const record = byId(id)
      if (record === undefined) return false
      const { scheduledPurgeMs } = deleted.remove(record)
      const until = new Date(scheduledPurgeMs).toISOString()
      note('deleteVault', record, `${record.name} is deleted and can be recovered until ${until}.`)
      return true
    },
  }
}
