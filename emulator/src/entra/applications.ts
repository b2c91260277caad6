import { X509Certificate } from 'node:crypto'
import {
  COLLECTIONS,
  type EmulatorContext,
  type FederatedCredentialRecord,
  type IssuerKeysRecord,
  type ServicePrincipalRecord,
} from '../core/index.ts'
import { findByClientId, findByObjectId, sha256Hex } from './directory.ts'
import { DirectoryError } from './directory-error.ts'
import { checkFederatedCredential } from './federated-credentials.ts'

export interface ApplicationRequest {
  /** A UUID; chosen at random when absent. */
  readonly clientId?: string
  /** Of its service principal: what role assignments name. Chosen at random when absent. */
  readonly objectId?: string
  readonly displayName?: string
  /** Only its SHA-256 is kept. */
  readonly secret?: string
  /** Certificates in PEM. The first one of each text is registered; private keys are not looked at. */
  readonly certificates?: readonly string[]
  /** Subject names whose certificates are accepted with their chain; `authorities` are root certificates in PEM. */
  readonly trustedSubjects?: readonly { readonly subjectName: string; readonly authorities: readonly string[] }[]
  readonly federatedCredentials?: readonly FederatedCredentialRecord[]
  /** Signs users in and has no credential of its own. */
  readonly publicClient?: boolean
}

/**
 * Makes the application exist as requested, with its service principal. One that exists (by client id or object id)
 * keeps its ids; each member that is given replaces what it had. @throws DirectoryError
 */
export function ensureApplication(ctx: EmulatorContext, request: ApplicationRequest): ServicePrincipalRecord {
  const clientId = request.clientId?.toLowerCase()
  const objectId = request.objectId?.toLowerCase()
  const certificates = request.certificates?.map((pem, at) => derOf(`certificates[${at}]`, pem))
  const trustedSubjects = request.trustedSubjects?.map(({ subjectName, authorities }, at) => ({
    subjectName,
    authorities: authorities.map((pem, which) => derOf(`trustedSubjects[${at}].authorities[${which}]`, pem)),
  }))
  const federated = request.federatedCredentials
  federated?.forEach((credential, at) => {
    checkFederatedCredential(federated.slice(0, at), credential)
  })
  return ctx.store.transaction(() => {
    const known =
      (clientId && findByClientId(ctx, clientId)) || (objectId && findByObjectId(ctx, objectId)) || undefined
    if (known?.kind === 'managedIdentity') throw new DirectoryError('clientId', 'belongs to a managed identity')
    if (known !== undefined && objectId !== undefined && known.objectId !== objectId) {
      throw new DirectoryError('objectId', `the application ${known.clientId} exists with another object id`)
    }
    if (known !== undefined && clientId !== undefined && known.clientId.toLowerCase() !== clientId) {
      throw new DirectoryError('clientId', `the object ${known.objectId} exists with another client id`)
    }
    const made: ServicePrincipalRecord = {
      ...known,
      objectId: known?.objectId ?? objectId ?? ctx.random.uuid(),
      clientId: known?.clientId ?? clientId ?? ctx.random.uuid(),
      displayName: request.displayName ?? known?.displayName ?? 'application',
      kind: 'application',
      ...(request.secret !== undefined && { clientSecretSha256: sha256Hex(request.secret) }),
      ...(certificates && { certificates }),
      ...(trustedSubjects && { trustedSubjects }),
      ...(federated && { federatedCredentials: federated }),
      ...(request.publicClient !== undefined && { publicClient: request.publicClient }),
    }
    ctx.store.collection<ServicePrincipalRecord>(COLLECTIONS.servicePrincipals).put(made.objectId, made)
    return made
  })
}

/**
 * Gives the keys of an OpenID issuer, so that its tokens are verified without asking it. `keys` is the member of its
 * JWKS. @throws DirectoryError for keys that are not public ones
 */
export function ensureIssuer(ctx: EmulatorContext, request: IssuerKeysRecord): void {
  for (const key of request.keys) {
    if (key.kty === 'oct' || 'd' in key || 'k' in key) throw new DirectoryError('keys', 'only public keys may be given')
  }
  ctx.store.collection<IssuerKeysRecord>(COLLECTIONS.oidcIssuers).put(request.issuer, request)
}

/** Clients of Microsoft that are in every tenant and have no credential of their own, by client id. */
const FIRST_PARTY: ReadonlyMap<string, string> = new Map([
  ['04b07795-8ddb-461a-bbee-02f9e1bf7b46', 'Microsoft Azure CLI'],
  ['1950a258-227b-4e31-a9cf-717495945fc2', 'Microsoft Azure PowerShell'],
  ['872cd9fa-d31f-45e0-9eab-6e460a02d1f1', 'Visual Studio'],
  ['aebc6443-996d-45c2-90f0-388ff96faa56', 'Visual Studio Code'],
])

/** A client that users sign in with: an application of the tenant, or one of Microsoft's. */
export interface ClientApplication {
  readonly clientId: string
  readonly displayName: string
  readonly publicClient: boolean
  /** Absent for Microsoft's. */
  readonly principal?: ServicePrincipalRecord
}

export function findClient(ctx: EmulatorContext, clientId: string): ClientApplication | undefined {
  const principal = findByClientId(ctx, clientId)
  if (principal !== undefined) {
    const { displayName, publicClient = false } = principal
    return { clientId: principal.clientId, displayName, publicClient, principal }
  }
  const displayName = FIRST_PARTY.get(clientId.toLowerCase())
  return displayName === undefined ? undefined : { clientId: clientId.toLowerCase(), displayName, publicClient: true }
}

function derOf(field: string, pem: string): string {
  try {
    return new X509Certificate(pem).raw.toString('base64')
  } catch {
    throw new DirectoryError(field, 'is not a certificate in PEM')
  }
}
