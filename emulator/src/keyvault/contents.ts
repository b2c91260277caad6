import type { EmulatorContext, VaultRecord } from '../core/index.ts'
import type { Principal } from '../entra/index.ts'
import type { Call } from './call.ts'
import { HANDLERS } from './handlers.ts'
import { allowsKeysThroughArm } from './local-rbac/settings.ts'
import { keyVaultParts } from './parts.ts'
import { managedHsmPersonality } from './personality/managed-hsm.ts'
import { vaultPersonality } from './personality/vault.ts'
import { readRotationPolicy } from './routes/bodies.ts'
import { settleRotationPolicy } from './rules/rotation-policy.ts'
import { isKeyName } from './rules/vault-rules.ts'
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
  /** @throws KeyVaultError as the data plane does, before anything is made */
  create(vault: VaultRecord, name: string, wanted: WantedKey, caller: Principal): Promise<void>
  /** Whether a managed HSM was told to let Resource Manager at its keys; a vault always does. */
  opensToResourceManager(vault: VaultRecord): boolean
  /** Everything in a vault is gone for good. */
  purge(host: string): void
}

export interface WantedKey {
  /** A body of the data plane's own create call. */
  readonly key: object
  /** A body of its call that sets a rotation policy. */
  readonly rotationPolicy?: unknown
}

/** The version of the keys API in whose terms Resource Manager speaks: it has release and rotation. */
const API_VERSION = '7.4'

export function createVaultContents(ctx: EmulatorContext): VaultContents {
  const parts = keyVaultParts(ctx)
  const live = (key: KeyRecord | undefined) => (key?.deleted === undefined ? key : undefined)
  const run = async (operation: Operation, vault: VaultRecord, name: string, body: unknown, principal: Principal) => {
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
    async create(vault, name, { key, rotationPolicy }, caller) {
      if (!isKeyName(name)) throw vaultPersonality.says.invalidName(name)
      if (rotationPolicy == null) return await run('create', vault, name, key, caller)
      // A key without the policy that it was to have would be found there by the next attempt, and left as it is.
      settleRotationPolicy(readRotationPolicy(rotationPolicy), vault.kind, { created: 0, updated: 0 })
      await run('create', vault, name, key, caller)
      await run('putRotationPolicy', vault, name, rotationPolicy, caller)
    },
    opensToResourceManager: ({ kind, host }) => kind === 'vault' || allowsKeysThroughArm(ctx.store, host),
    purge(host) {
      ctx.store.transaction(() => {
        for (const key of parts.keys.list(host)) parts.keys.purge(key)
        parts.localRbac.forget(host)
      })
    },
  }
}
