import {
  COLLECTIONS,
  type EmulatorContext,
  type FederatedCredentialRecord,
  type ServicePrincipalRecord,
} from '../core/index.ts'
import { DirectoryError } from './directory-error.ts'

/** Limits of Microsoft Entra Workload ID ("Important considerations and restrictions for federated identity credentials"). */
const MOST_CREDENTIALS = 20
const LONGEST = 600
const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{2,119}$/

/**
 * Checks a credential that is to be put beside `others` of the same identity (one of the same name is replaced).
 * @throws DirectoryError
 */
export function checkFederatedCredential(
  others: readonly FederatedCredentialRecord[],
  credential: FederatedCredentialRecord,
): void {
  const { name, issuer, subject, audiences } = credential
  const kept = others.filter((other) => other.name !== name)
  if (!NAME.test(name)) {
    throw new DirectoryError(
      'name',
      'must be 3 to 120 letters, digits, dashes and underscores, and begin with a letter or digit',
    )
  }
  if (!/^https?:\/\/\S+$/.test(issuer) || issuer.length > LONGEST || !URL.canParse(issuer)) {
    throw new DirectoryError('issuer', `must be a URL of at most ${LONGEST} characters`)
  }
  if (subject === '' || subject.length > LONGEST) {
    throw new DirectoryError('subject', `must be 1 to ${LONGEST} characters`)
  }
  const [audience] = audiences
  if (audiences.length !== 1 || !audience || audience.length > LONGEST) {
    throw new DirectoryError('audiences', `must hold one audience of at most ${LONGEST} characters`)
  }
  if (kept.some((other) => other.issuer === issuer && other.subject === subject)) {
    throw new DirectoryError('subject', 'issuer and subject combination already exists for this identity')
  }
  if (kept.length >= MOST_CREDENTIALS) {
    throw new DirectoryError('name', `an identity has at most ${MOST_CREDENTIALS} federated identity credentials`)
  }
}

/** Those of an application or managed identity, by its object id. */
export function federatedCredentialsOf(ctx: EmulatorContext, objectId: string): readonly FederatedCredentialRecord[] {
  return principalsOf(ctx).get(objectId)?.federatedCredentials ?? []
}

/** Adds the credential or replaces the one of its name; true when it is a new one. @throws DirectoryError */
export function putFederatedCredential(
  ctx: EmulatorContext,
  objectId: string,
  credential: FederatedCredentialRecord,
): boolean {
  return ctx.store.transaction(() => {
    const principal = principalsOf(ctx).get(objectId)
    if (principal === undefined) throw new DirectoryError('objectId', `there is no ${objectId}`)
    const others = principal.federatedCredentials ?? []
    checkFederatedCredential(others, credential)
    const at = others.findIndex(({ name }) => name === credential.name)
    const federatedCredentials = at < 0 ? [...others, credential] : others.with(at, credential)
    principalsOf(ctx).put(objectId, { ...principal, federatedCredentials })
    return at < 0
  })
}

/** False when there was none of that name. */
export function deleteFederatedCredential(ctx: EmulatorContext, objectId: string, name: string): boolean {
  return ctx.store.transaction(() => {
    const principal = principalsOf(ctx).get(objectId)
    const kept = principal?.federatedCredentials?.filter((credential) => credential.name !== name)
    if (principal === undefined || kept?.length === principal.federatedCredentials?.length) return false
    principalsOf(ctx).put(objectId, { ...principal, federatedCredentials: kept ?? [] })
    return true
  })
}

function principalsOf(ctx: EmulatorContext) {
  return ctx.store.collection<ServicePrincipalRecord>(COLLECTIONS.servicePrincipals)
}
