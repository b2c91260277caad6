import type { EmulatorContext, VaultRecord } from '../core/index.ts'
import type { Principal } from '../entra/index.ts'
import type { Call } from './call.ts'
import { HANDLERS } from './handlers.ts'
import { allowsKeysThroughArm } from './local-rbac/settings.ts'
import { keyVaultParts } from './parts.ts'
import { managedHsmPersonality } from './personality/managed-hsm.ts'
import { vaultPersonality } from './personality/vault.ts'
import type { KeyRecord } from './state.ts'
import type { Operation } from './target.ts'

/**
 * What Resource Manager does with the keys of a vault. It decided who may by its own roles; the rules of what a key can
 * be are those of the data plane.
 */
export interface VaultContents {
  /** A live key. */
  find(vault: VaultRecord, name: string): KeyRecord | undefined
  /** The live keys by name. */
  list(vault: VaultRecord): KeyRecord[]
  /** @throws KeyVaultError as the data plane does; `body` is a body of its own create call */
  create(vault: VaultRecord, name: string, body: object, caller: Principal): Promise<void>
  /** @throws KeyVaultError as the data plane does; `body` is a body of its own call */
  putRotationPolicy(vault: VaultRecord, name: string, body: object, caller: Principal): Promise<void>
  /** Whether a managed HSM was told to let Resource Manager at its keys; a vault always does. */
  opensToResourceManager(vault: VaultRecord): boolean
  /** Everything in a vault is gone for good. */
  purge(host: string): void
}

/** The version of the keys API in whose terms Resource Manager speaks: it has release and rotation. */
const API_VERSION = '7.4'

export function createVaultContents(ctx: EmulatorContext): VaultContents {
  const parts = keyVaultParts(ctx)
  const live = (key: KeyRecord | undefined) => (key?.deleted === undefined ? key : undefined)
  const run = async (operation: Operation, vault: VaultRecord, name: string, body: object, principal: Principal) => {
    const call: Call = {
      vault,
      origin: `https://${vault.host}`,
      apiVersion: API_VERSION,
      parts,
      personality: vault.kind === 'managedHsm' ? managedHsmPersonality : vaultPersonality,
      principal,
      target: { operation, name },
      query: new URLSearchParams({ 'api-version': API_VERSION }),
      path: `/keys/${name}`,
      requestId: ctx.random.uuid(),
      body: async () => body,
    }
    await HANDLERS[operation](call)
  }
  return {
    find: (vault, name) => live(parts.keys.find(vault.host, name)),
    list: (vault) => parts.keys.list(vault.host).filter((key) => live(key) !== undefined),
    create: (vault, name, body, caller) => run('create', vault, name, body, caller),
    putRotationPolicy: (vault, name, body, caller) => run('putRotationPolicy', vault, name, body, caller),
    opensToResourceManager: ({ kind, host }) => kind === 'vault' || allowsKeysThroughArm(ctx.store, host),
    purge(host) {
      ctx.store.transaction(() => {
        for (const key of parts.keys.list(host)) parts.keys.purge(key)
        parts.localRbac.forget(host)
      })
    },
  }
}
