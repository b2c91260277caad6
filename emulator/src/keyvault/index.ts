import type { EmulatorContext, Service } from '../core/index.ts'
import type { TokenVerifier } from '../entra/index.ts'
import type { Authorizer } from '../rbac/index.ts'
import { createAuthorize } from './authorize.ts'
import { createBackupBlobs } from './crypto/backup-blob.ts'
import { createLocalRbac } from './local-rbac/assignments.ts'
import { createAttestationTokens } from './release/attestation-token.ts'
import { createRequestHandler } from './service.ts'
import { createKeyState } from './state.ts'

export interface KeyVaultOptions {
  readonly tokens: TokenVerifier
  /** Decides for vaults; managed HSMs have their own, local RBAC. */
  readonly authorizer: Authorizer
}

/**
 * The keys data plane of key vaults and managed HSMs. Which ones exist is what the collection of vaults says; a key is
 * kept in the store with its private part, and leaves only wrapped, to whom its release policy allows.
 */
export function createKeyVaultService(ctx: EmulatorContext, { tokens, authorizer }: KeyVaultOptions): Service {
  const localRbac = createLocalRbac(ctx)
  const handle = createRequestHandler({
    ctx,
    keys: createKeyState(ctx.store, ctx.clock),
    localRbac,
    attestationTokens: createAttestationTokens(ctx),
    backups: createBackupBlobs(ctx),
    tokens,
    authorize: createAuthorize({ authorizer, localRbac }),
  })
  return {
    name: 'keyvault',
    hosts: ['*.vault.azure.net', '*.managedhsm.azure.net'],
    handle: (request) => handle(request),
  }
}

export { createLocalRbac } from './local-rbac/assignments.ts'
export { CRYPTO_SERVICE_RELEASE_USER, LOCAL_ROLES } from './local-rbac/roles.ts'
