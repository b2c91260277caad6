import { X509Certificate } from 'node:crypto'
import { groupId } from '../arm/index.ts'
import {
  COLLECTIONS,
  type ContainerGroupIdentityRecord,
  type EmulatorContext,
  type FederatedCredentialRecord,
  LOCAL_GUEST,
  type ManagedIdentityRecord,
  type ServicePrincipalRecord,
} from '../core/index.ts'
import {
  DEFAULT_DOMAIN,
  DirectoryError,
  ensureApplication,
  ensureIssuer,
  ensureServicePrincipal,
  ensureUser,
  findByClientId,
  findUser,
  putFederatedCredential,
} from '../entra/index.ts'
import { SeedError } from './error.ts'
import { isPem, keyOfPath, type ParsedSeed } from './parse.ts'
import type { SeedDocument, SeedFederatedCredential } from './schema.ts'

type Path = readonly (string | number)[]

/** Who a seed means: finds the object id behind a name. */
export interface Principals {
  /** @throws SeedError at this place when there is nobody of that name */
  idOf(name: string, path: Path): string
  typeOf(objectId: string): 'User' | 'ServicePrincipal'
}

export const LOCATION = 'westeurope'
const AUDIENCE = 'api://AzureADTokenExchange'

/** Applications, users, managed identities and issuers; called in a transaction. */
export function plantDirectory(ctx: EmulatorContext, { document, files }: ParsedSeed): Principals {
  const ids = new Map<string, string>([['admin', ctx.seed.admin.objectId]])
  const users = new Set<string>()
  for (const [at, application] of (document.applications ?? []).entries()) {
    const path = ['applications', at]
    const known = findApplication(ctx, application)
    ids.set(application.name.toLowerCase(), known?.objectId ?? plantApplication(ctx, application, path, files))
  }
  for (const [at, { userPrincipalName, ...user }] of (document.users ?? []).entries()) {
    const { objectId } =
      findUser(ctx, fullName(userPrincipalName)) ??
      placed(['users', at], () => ensureUser(ctx, { userPrincipalName, ...definedOf(user) }))
    ids.set(userPrincipalName.toLowerCase(), objectId)
    users.add(objectId)
  }
  for (const [at, identity] of (document.managedIdentities ?? []).entries()) {
    ids.set(identity.name.toLowerCase(), plantIdentity(ctx, identity, ['managedIdentities', at]))
  }
  for (const [at, { issuer, jwks }] of (document.federationIssuers ?? []).entries()) {
    const known = ctx.store.collection(COLLECTIONS.oidcIssuers).has(issuer)
    if (!known) placed(['federationIssuers', at, 'jwks'], () => ensureIssuer(ctx, { issuer, keys: jwks.keys }))
  }
  const principals = ctx.store.collection<ServicePrincipalRecord>(COLLECTIONS.servicePrincipals)
  return {
    idOf(name, path) {
      const wanted = name.toLowerCase()
      const known = ids.get(wanted) ?? (principals.has(wanted) ? wanted : findUser(ctx, wanted)?.objectId)
      if (known === undefined) throw new SeedError(path, 'wanted a principal of this seed, or the object id of one')
      return known
    },
    typeOf: (objectId) => (users.has(objectId) || findUser(ctx, objectId) !== undefined ? 'User' : 'ServicePrincipal'),
  }
}

const fullName = (name: string) => (name.includes('@') ? name : `${name}@${DEFAULT_DOMAIN}`)

type Application = NonNullable<SeedDocument['applications']>[number]

function findApplication(ctx: EmulatorContext, { name, clientId }: Application): ServicePrincipalRecord | undefined {
  if (clientId !== undefined) return findByClientId(ctx, clientId)
  return ctx.store
    .collection<ServicePrincipalRecord>(COLLECTIONS.servicePrincipals)
    .values()
    .find(({ kind, displayName }) => kind === 'application' && displayName === name)
}

function plantApplication(
  ctx: EmulatorContext,
  { name, certificates = [], federatedCredentials = [], ...rest }: Application,
  path: Path,
  files: ParsedSeed['files'],
): string {
  const pems = certificates.map((given, at) => {
    const place = [...path, 'certificates', at]
    const pem = isPem(given) ? given : (files.get(keyOfPath(place)) ?? '')
    try {
      return new X509Certificate(pem).toString()
    } catch {
      throw new SeedError(place, 'wanted a certificate in PEM')
    }
  })
  const { objectId } = placed(path, () =>
    ensureApplication(ctx, { displayName: name, certificates: pems, ...definedOf(rest) }),
  )
  plantCredentials(ctx, objectId, federatedCredentials, path)
  return objectId
}

type Identity = NonNullable<SeedDocument['managedIdentities']>[number]

function plantIdentity(ctx: EmulatorContext, identity: Identity, path: Path): string {
  const { name, resourceGroup, location = LOCATION, clientId, principalId, federatedCredentials = [], tags } = identity
  const records = ctx.store.collection<ManagedIdentityRecord>(COLLECTIONS.managedIdentities)
  const group = groupId(ctx.seed.subscriptionId, resourceGroup)
  const id = `${group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/${name}`
  const known = records.get(id.toLowerCase())
  if (known !== undefined) return known.principalId
  const principal = ensureServicePrincipal(ctx, {
    displayName: name,
    kind: 'managedIdentity',
    ...(clientId !== undefined && { clientId: clientId.toLowerCase() }),
    ...(principalId !== undefined && { objectId: principalId.toLowerCase() }),
  })
  if (principal.kind !== 'managedIdentity' || principal.displayName !== name) {
    throw new SeedError(path, 'wanted ids that belong to nobody else')
  }
  records.put(id.toLowerCase(), {
    id,
    name,
    location,
    tenantId: ctx.seed.tenantId,
    principalId: principal.objectId,
    clientId: principal.clientId,
    ...(tags !== undefined && { tags }),
  })
  plantCredentials(ctx, principal.objectId, federatedCredentials, path)
  giveToLocalGuest(ctx, id, principal.objectId)
  return principal.objectId
}

/** The first identity is the one that a program of this machine is, unless it asks for another. */
function giveToLocalGuest({ store }: EmulatorContext, identityId: string, principalId: string): void {
  const assigned = store.collection<ContainerGroupIdentityRecord>(COLLECTIONS.containerGroupIdentities)
  if (assigned.has(LOCAL_GUEST)) return
  assigned.put(LOCAL_GUEST, { groupId: identityId, userAssigned: [], systemAssignedPrincipalId: principalId })
}

function plantCredentials(
  ctx: EmulatorContext,
  objectId: string,
  credentials: readonly SeedFederatedCredential[],
  path: Path,
): void {
  for (const [at, { audiences = [AUDIENCE], ...credential }] of credentials.entries()) {
    const record: FederatedCredentialRecord = { ...credential, audiences }
    placed([...path, 'federatedCredentials', at], () => putFederatedCredential(ctx, objectId, record))
  }
}

/** What the directory refuses, at its place in the seed. */
function placed<T>(path: Path, make: () => T): T {
  try {
    return make()
  } catch (error) {
    if (error instanceof DirectoryError) throw new SeedError(path, error.message)
    throw error
  }
}

/** Without the members that are there and say nothing. */
export function definedOf<T extends object>(given: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>
  }
}
