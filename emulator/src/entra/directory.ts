import { createHash } from 'node:crypto'
import {
  COLLECTIONS,
  type EmulatorContext,
  type ManagedIdentityRecord,
  type ServicePrincipalRecord,
} from '../core/index.ts'

/** Who exists in the tenant. Everything lives in the store; these are the only functions that write it. */

export interface ServicePrincipalRequest {
  readonly displayName: string
  readonly kind: ServicePrincipalRecord['kind']
  /** Chosen at random when absent. */
  readonly objectId?: string
  readonly clientId?: string
  /** Only its SHA-256 is kept. */
  readonly clientSecret?: string
}

/** The service principal with that object id or client id; made when there is none, left as it is otherwise. */
export function ensureServicePrincipal(ctx: EmulatorContext, request: ServicePrincipalRequest): ServicePrincipalRecord {
  const principals = principalsOf(ctx)
  const known =
    (request.objectId && principals.get(request.objectId)) ||
    (request.clientId && findByClientId(ctx, request.clientId)) ||
    undefined
  if (known !== undefined) return known
  const made: ServicePrincipalRecord = {
    objectId: request.objectId ?? ctx.random.uuid(),
    clientId: request.clientId ?? ctx.random.uuid(),
    displayName: request.displayName,
    kind: request.kind,
    ...(request.clientSecret === undefined ? {} : { clientSecretSha256: sha256Hex(request.clientSecret) }),
  }
  principals.put(made.objectId, made)
  return made
}

export interface ManagedIdentityRequest {
  /** Full ARM id of the user-assigned identity. */
  readonly id: string
  readonly name: string
  readonly location: string
  readonly tags?: Readonly<Record<string, string>>
}

/**
 * A user-assigned managed identity with its service principal. One that exists keeps its ids, as a second PUT to ARM
 * leaves them; its location stays, its tags are replaced when given.
 */
export function createManagedIdentity(ctx: EmulatorContext, request: ManagedIdentityRequest): ManagedIdentityRecord {
  return ctx.store.transaction(() => {
    const identities = identitiesOf(ctx)
    const key = request.id.toLowerCase()
    const known = identities.get(key)
    if (known !== undefined) {
      const updated = request.tags === undefined ? known : { ...known, tags: request.tags }
      identities.put(key, updated)
      return updated
    }
    const principal = ensureServicePrincipal(ctx, { displayName: request.name, kind: 'managedIdentity' })
    const made: ManagedIdentityRecord = {
      ...request,
      tenantId: ctx.seed.tenantId,
      principalId: principal.objectId,
      clientId: principal.clientId,
    }
    identities.put(key, made)
    return made
  })
}

/** Removes the identity and its service principal; false when there was none. Tokens already issued live on. */
export function deleteManagedIdentity(ctx: EmulatorContext, id: string): boolean {
  return ctx.store.transaction(() => {
    const identities = identitiesOf(ctx)
    const known = identities.get(id.toLowerCase())
    if (known === undefined) return false
    identities.delete(id.toLowerCase())
    principalsOf(ctx).delete(known.principalId)
    return true
  })
}

/** The identity of a container group itself (`SystemAssigned`); its principal goes with `deleteServicePrincipal`. */
export function createSystemAssignedIdentity(ctx: EmulatorContext, displayName: string): ServicePrincipalRecord {
  return ensureServicePrincipal(ctx, { displayName, kind: 'managedIdentity' })
}

export function deleteServicePrincipal(ctx: EmulatorContext, objectId: string): boolean {
  return principalsOf(ctx).delete(objectId)
}

export function findByClientId(ctx: EmulatorContext, clientId: string): ServicePrincipalRecord | undefined {
  const wanted = clientId.toLowerCase()
  return principalsOf(ctx)
    .values()
    .find((principal) => principal.clientId.toLowerCase() === wanted)
}

export function findByObjectId(ctx: EmulatorContext, objectId: string): ServicePrincipalRecord | undefined {
  return principalsOf(ctx).get(objectId.toLowerCase())
}

/** SHA-256 in lower-case hex: the form in which a client secret is kept. */
export function sha256Hex(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

function principalsOf(ctx: EmulatorContext) {
  return ctx.store.collection<ServicePrincipalRecord>(COLLECTIONS.servicePrincipals)
}

function identitiesOf(ctx: EmulatorContext) {
  return ctx.store.collection<ManagedIdentityRecord>(COLLECTIONS.managedIdentities)
}
