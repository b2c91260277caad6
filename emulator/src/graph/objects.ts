import { COLLECTIONS, type EmulatorContext, type ServicePrincipalRecord, type UserRecord } from '../core/index.ts'
import { listUsers } from '../entra/index.ts'

/** A directory object as Microsoft Graph v1.0 answers it ("directoryObject resource type"). */
export interface DirectoryObject extends Readonly<Record<string, unknown>> {
  readonly '@odata.type': '#microsoft.graph.user' | '#microsoft.graph.servicePrincipal' | '#microsoft.graph.application'
  readonly id: string
}

export function usersOf(ctx: EmulatorContext): DirectoryObject[] {
  return listUsers(ctx).map(viewUser)
}

export function servicePrincipalsOf(ctx: EmulatorContext): DirectoryObject[] {
  return principals(ctx).map((principal) => viewServicePrincipal(principal, ctx.seed.tenantId))
}

/** Applications of the tenant: managed identities have none. */
export function applicationsOf(ctx: EmulatorContext): DirectoryObject[] {
  return principals(ctx)
    .filter(({ kind }) => kind === 'application')
    .map(({ clientId, displayName }) => ({
      '@odata.type': '#microsoft.graph.application',
      // The application and its service principal are two objects; the emulator keeps one record, and names it by its client id.
      id: clientId,
      appId: clientId,
      displayName,
      identifierUris: [],
      signInAudience: 'AzureADMyOrg',
    }))
}

function principals(ctx: EmulatorContext): ServicePrincipalRecord[] {
  return ctx.store.collection<ServicePrincipalRecord>(COLLECTIONS.servicePrincipals).values()
}

function viewUser({ objectId, userPrincipalName, displayName }: UserRecord): DirectoryObject {
  return {
    '@odata.type': '#microsoft.graph.user',
    id: objectId,
    businessPhones: [],
    displayName,
    givenName: null,
    jobTitle: null,
    mail: null,
    mobilePhone: null,
    officeLocation: null,
    preferredLanguage: null,
    surname: null,
    userPrincipalName,
  }
}

function viewServicePrincipal(principal: ServicePrincipalRecord, tenantId: string): DirectoryObject {
  const { objectId, clientId, displayName, kind } = principal
  return {
    '@odata.type': '#microsoft.graph.servicePrincipal',
    id: objectId,
    accountEnabled: true,
    appId: clientId,
    appDisplayName: displayName,
    appOwnerOrganizationId: kind === 'application' ? tenantId : null,
    displayName,
    servicePrincipalNames: [clientId],
    servicePrincipalType: kind === 'application' ? 'Application' : 'ManagedIdentity',
  }
}
