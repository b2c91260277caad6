import {
  type Caller,
  COLLECTIONS,
  type ContainerGroupIdentityRecord,
  type EmulatorContext,
  LOCAL_GUEST,
  type ManagedIdentityRecord,
  type ServicePrincipalRecord,
} from '../core/index.ts'
import { findByObjectId } from '../entra/index.ts'

/** How a client picks among the identities it has: at most one of these. */
export interface IdentitySelector {
  readonly clientId?: string
  readonly objectId?: string
  /** ARM id of a user-assigned identity. */
  readonly resourceId?: string
}

/** The identity that a token is wanted for. */
export interface ChosenIdentity {
  readonly principal: ServicePrincipalRecord
  /** ARM id for the token's `xms_mirid`: of the identity, or of the group whose own identity it is. */
  readonly resourceId: string
}

export type IdentityRefusal = 'notFound' | 'ambiguous'

/**
 * The user-assigned identity of that name, client id, object id or ARM id; the names of all of them where there is none
 * such, or several.
 */
export function findIdentity(
  ctx: EmulatorContext,
  wanted: string,
): ManagedIdentityRecord | { readonly names: readonly string[] } {
  const all = [...ctx.store.collection<ManagedIdentityRecord>(COLLECTIONS.managedIdentities).values()]
  const found = all.filter((record) =>
    [record.id, record.name, record.clientId, record.principalId].some((value) => same(wanted, value)),
  )
  return found.length === 1 ? found[0]! : { names: all.map(({ name }) => name) }
}

/**
 * Which identity IMDS answers for. A request out of a container group has the identities assigned to that group. Every
 * other door is the developer's own, where all user-assigned identities of the instance are at hand, and one of its own
 * where the instance was given one.
 */
export function chooseIdentity(
  ctx: EmulatorContext,
  caller: Caller,
  selector: IdentitySelector,
): ChosenIdentity | IdentityRefusal {
  const { userAssigned, systemAssigned } = assignedTo(ctx, caller)
  const all = systemAssigned === undefined ? userAssigned : [systemAssigned, ...userAssigned]
  if (selector.clientId !== undefined) {
    return only(all, ({ principal }) => same(principal.clientId, selector.clientId))
  }
  if (selector.objectId !== undefined) {
    return only(all, ({ principal }) => same(principal.objectId, selector.objectId))
  }
  if (selector.resourceId !== undefined) {
    return only(all, ({ resourceId }) => same(resourceId, selector.resourceId))
  }
  // Without a selector the system-assigned identity comes first; several user-assigned ones need one.
  if (systemAssigned !== undefined) return systemAssigned
  if (userAssigned.length > 1) return 'ambiguous'
  return userAssigned[0] ?? 'notFound'
}

function assignedTo(ctx: EmulatorContext, caller: Caller) {
  const identities = ctx.store.collection<ManagedIdentityRecord>(COLLECTIONS.managedIdentities)
  const userAssigned = (records: readonly (ManagedIdentityRecord | undefined)[]) =>
    records.flatMap((record) => {
      const principal = record && findByObjectId(ctx, record.principalId)
      return principal === undefined ? [] : [{ principal, resourceId: record!.id }]
    })
  if (caller.managedIdentityId !== undefined) {
    return {
      userAssigned: userAssigned([identities.get(caller.managedIdentityId.toLowerCase())]),
      systemAssigned: undefined,
    }
  }
  const group = ctx.store
    .collection<ContainerGroupIdentityRecord>(COLLECTIONS.containerGroupIdentities)
    .get(caller.containerGroupId?.toLowerCase() ?? LOCAL_GUEST)
  const own = group?.systemAssignedPrincipalId && findByObjectId(ctx, group.systemAssignedPrincipalId)
  return {
    userAssigned: userAssigned(
      caller.containerGroupId === undefined
        ? identities.values()
        : (group?.userAssigned ?? []).map((id) => identities.get(id.toLowerCase())),
    ),
    systemAssigned: own ? { principal: own, resourceId: group!.groupId } : undefined,
  }
}

function only(
  identities: readonly ChosenIdentity[],
  matches: (identity: ChosenIdentity) => boolean,
): ChosenIdentity | IdentityRefusal {
  return identities.find(matches) ?? 'notFound'
}

function same(a: string, b: string | undefined): boolean {
  return a.toLowerCase() === b?.toLowerCase()
}
