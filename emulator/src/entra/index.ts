import type { EmulatorContext, Service } from '../core/index.ts'
import { ENTRA_HOSTS } from './hosts.ts'
import { type EntraOptions, entraRoutes } from './routes.ts'

/** Entra: the token service of the one tenant that this emulator has. */
export function createEntraService(ctx: EmulatorContext, options?: EntraOptions): Service {
  const app = entraRoutes(ctx, options)
  return { name: 'entra', hosts: ENTRA_HOSTS, handle: (request, caller) => app.fetch(request, { caller }) }
}

export { type ApplicationRequest, ensureApplication, ensureIssuer } from './applications.ts'
export { approveDeviceCode, declineDeviceCode, findDeviceCode, type PendingDeviceCode } from './device-codes.ts'
export {
  createManagedIdentity,
  createSystemAssignedIdentity,
  deleteManagedIdentity,
  deleteServicePrincipal,
  ensureServicePrincipal,
  findByClientId,
  findByObjectId,
  type ManagedIdentityRequest,
  type ServicePrincipalRequest,
} from './directory.ts'
export { DirectoryError } from './directory-error.ts'
export { TokenServiceError } from './errors.ts'
export { deleteFederatedCredential, federatedCredentialsOf, putFederatedCredential } from './federated-credentials.ts'
export { ENTRA_HOSTS } from './hosts.ts'
export { devicePage } from './pages/device.ts'
export type { EntraOptions } from './routes.ts'
export { type IssuedToken, issueToken, type TokenRequest } from './tokens.ts'
export { DEFAULT_DOMAIN, ensureUser, findUser, listUsers, type UserRequest } from './users.ts'
export {
  createTokenVerifier,
  type Principal,
  TokenError,
  type TokenErrorCode,
  type TokenVerifier,
} from './verifier.ts'
