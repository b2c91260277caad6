import { type ContainerGroupRecord, type ContainerGroups, type IdentityLookup, viewGroup } from '../../aci/index.ts'
import { COLLECTIONS, type EmulatorContext, type ManagedIdentityRecord } from '../../core/index.ts'
import { createSystemAssignedIdentity, deleteServicePrincipal, type Principal } from '../../entra/index.ts'
import type { Authorizer } from '../../rbac/index.ts'
import { ArmError } from '../error.ts'
import type { ArmResource, PutRequest, ResourceType } from './types.ts'

const ASSIGN = 'Microsoft.ManagedIdentity/userAssignedIdentities/assign/action'

/** Microsoft.ContainerInstance/containerGroups: identities and rights here, the groups themselves in `aci`. */
export function containerGroupType(
  ctx: EmulatorContext,
  groups: ContainerGroups,
  authorizer: Authorizer,
): ResourceType {
  const lookup = identityLookup(ctx)
  const view = (record: ContainerGroupRecord, instanceView = true) =>
    viewGroup(record, lookup, { instanceView }) as ArmResource
  return {
    type: 'Microsoft.ContainerInstance/containerGroups',
    get(id) {
      const record = groups.get(id)
      return record && view(record)
    },
    list: (scope) => groups.list(scope).map((record) => view(record, false)),
    async put(request) {
      const { id, name, body } = request
      for (const identity of identitiesOf(body)) requireIdentity(identity, request, lookup, authorizer)
      const { group, created, done } = await groups.put(id, body, {
        systemIdentity: () => createSystemAssignedIdentity(ctx, name).objectId,
      })
      return {
        status: created ? 201 : 200,
        body: view(group),
        operation: { done, location: group.spec.location },
      }
    },
    async delete(id) {
      const record = await groups.delete(id)
      if (record === undefined) return undefined
      const { identity } = record.spec
      if (identity?.principalId !== undefined) deleteServicePrincipal(ctx, identity.principalId)
      return { status: 200, body: view(record) }
    },
    setTags: (id, tags) => view(groups.setTags(id, tags)),
  }
}

function identityLookup(ctx: EmulatorContext): IdentityLookup {
  const records = ctx.store.collection<ManagedIdentityRecord>(COLLECTIONS.managedIdentities)
  return {
    tenantId: ctx.seed.tenantId,
    userAssigned(id) {
      const record = records.get(id.toLowerCase())
      return record && { principalId: record.principalId, clientId: record.clientId }
    },
  }
}

function identitiesOf(body: Readonly<Record<string, unknown>>): string[] {
  const assigned = (body.identity as { readonly userAssignedIdentities?: unknown } | undefined)?.userAssignedIdentities
  return assigned !== null && typeof assigned === 'object' ? Object.keys(assigned) : []
}

/** The identity must exist, and the caller must be allowed to give it away. */
function requireIdentity(identity: string, request: PutRequest, lookup: IdentityLookup, authorizer: Authorizer): void {
  if (lookup.userAssigned(identity) === undefined) {
    const inner = JSON.stringify({ error: { code: 'BadRequest', message: `Resource '${identity}' was not found.` } })
    throw new ArmError(400, {
      code: 'FailedIdentityOperation',
      message: `Identity operation for resource '${request.id}' failed with error 'Failed to perform resource identity operation. Status: 'BadRequest'. Response: '${inner}'.'.`,
    })
  }
  if (authorizer.check(request.caller.objectId, { action: ASSIGN }, identity).allowed) return
  throw linkedAuthorizationFailed(request.caller, request.id, identity)
}

function linkedAuthorizationFailed(caller: Principal, id: string, identity: string): ArmError {
  return new ArmError(403, {
    code: 'LinkedAuthorizationFailed',
    message: `The client '${caller.clientId}' with object id '${caller.objectId}' has permission to perform action 'Microsoft.ContainerInstance/containerGroups/write' on scope '${id}'; however, it does not have permission to perform action(s) '${ASSIGN}' on the linked scope(s) '${identity}' (respectively) or the linked scope(s) are invalid.`,
  })
}
