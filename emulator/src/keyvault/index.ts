import { type EmulatorContext, type Service, toResponse } from '../core/index.ts'
import type { TokenVerifier } from '../entra/index.ts'
import type { Authorizer } from '../rbac/index.ts'
import { createAuthorize } from './authorize.ts'
import { keyVaultParts } from './parts.ts'
import { createRequestHandler } from './service.ts'

export interface KeyVaultOptions {
  readonly tokens: TokenVerifier
  /** Decides for vaults; managed HSMs have their own, local RBAC. */
  readonly authorizer: Authorizer
}

/** Disposed of, it still answers, and what time does to keys stops. */
export interface KeyVaultService extends Service, Disposable {}

/**
 * The keys data plane of key vaults and managed HSMs. Which ones exist is what the collection of vaults says; a key is
 * kept in the store with its private part, and leaves only wrapped, to whom its release policy allows.
 */
export function createKeyVaultService(ctx: EmulatorContext, { tokens, authorizer }: KeyVaultOptions): KeyVaultService {
  const parts = keyVaultParts(ctx)
  const answer = createRequestHandler({
    ...parts,
    tokens,
    authorize: createAuthorize({ authorizer, localRbac: parts.localRbac }),
  })
  return {
    name: 'keyvault',
    hosts: ['*.vault.azure.net', '*.managedhsm.azure.net'],
    handle: async (request) => toResponse(await answer(request)),
    answer,
    [Symbol.dispose]: () => parts.lifecycle[Symbol.dispose](),
  }
}

export { createVaultContents, type VaultContents } from './contents.ts'
export { KeyVaultError } from './errors.ts'
export { isAddressRange } from './firewall.ts'
export { createLocalRbac } from './local-rbac/assignments.ts'
export { CRYPTO_SERVICE_RELEASE_USER, LOCAL_ROLES } from './local-rbac/roles.ts'
export type { KeyRecord, KeyVersion } from './state.ts'
