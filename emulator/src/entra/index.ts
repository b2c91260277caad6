import type { EmulatorContext, Service } from '../core/index.ts'
import { entraRoutes } from './routes.ts'

/** Entra: the token service of the one tenant that this emulator has. */
export function createEntraService(ctx: EmulatorContext): Service {
  const app = entraRoutes(ctx)
  return {
    name: 'entra',
    hosts: ['login.microsoftonline.com', 'login.windows.net', 'sts.windows.net'],
    handle: (request) => app.fetch(request),
  }
}

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
export { TokenServiceError } from './errors.ts'
export { type IssuedToken, issueToken, type TokenRequest } from './tokens.ts'
export {
  createTokenVerifier,
  type Principal,
  TokenError,
  type TokenErrorCode,
  type TokenVerifier,
} from './verifier.ts'
