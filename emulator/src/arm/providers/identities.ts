import { COLLECTIONS, type EmulatorContext, type ManagedIdentityRecord } from '../../core/index.ts'
import { createManagedIdentity, deleteManagedIdentity } from '../../entra/index.ts'
import { type ArmResource, normalLocation, type ResourceType, tagsOf } from './types.ts'

/** Microsoft.ManagedIdentity/userAssignedIdentities: each has a service principal in the tenant. */
export function userAssignedIdentities(ctx: EmulatorContext): ResourceType {
  const records = ctx.store.collection<ManagedIdentityRecord>(COLLECTIONS.managedIdentities)
  return {
    type: 'Microsoft.ManagedIdentity/userAssignedIdentities',
    get(id) {
      const record = records.get(id.toLowerCase())
      return record && view(record)
    },
    list: (scope) => records.values(`${scope.toLowerCase()}/`).map(view),
    async put({ id, name, body }) {
      const known = records.has(id.toLowerCase())
      const tags = tagsOf(body)
      const location = normalLocation(body.location, 'westeurope')
      const record = createManagedIdentity(ctx, { id, name, location, ...(tags !== undefined && { tags }) })
      const answer = view(record)
      return known ? { status: 200, body: answer } : { status: 201, body: answer, headers: { location: answer.id } }
    },
    async delete(id) {
      return deleteManagedIdentity(ctx, id) ? { status: 200 } : undefined
    },
    setTags(id, tags) {
      const record = { ...(records.get(id.toLowerCase()) as ManagedIdentityRecord), tags }
      records.put(id.toLowerCase(), record)
      return view(record)
    },
  }
}

/** This provider writes `resourcegroups` in lower case, whatever it was asked with. */
function view(record: ManagedIdentityRecord): ArmResource {
  const { name, location, tags, tenantId, principalId, clientId } = record
  return {
    id: record.id.replace(/\/resourceGroups\//i, '/resourcegroups/'),
    name,
    type: 'Microsoft.ManagedIdentity/userAssignedIdentities',
    location,
    tags: tags ?? {},
    properties: { tenantId, principalId, clientId },
  }
}
