import type { EmulatorContext } from '../../core/index.ts'
import type { AttestationType } from '../attestation-types.ts'

/*
 * What providers keep: a policy for each type of attestation, and who may sign them.
 */

/** In `attestation.policies`, by host and type: the JWS with which it was set. */
export interface StoredPolicy {
  readonly jws: string
}

/** In `attestation.signers`, by host: who may sign policies of an isolated provider. */
export interface StoredSigners {
  /** Chains in the order in which they were registered: DER in standard base64, the signing certificate first. */
  readonly chains: readonly (readonly string[])[]
}

export function policyStore(ctx: EmulatorContext) {
  const policies = ctx.store.collection<StoredPolicy>('attestation.policies')
  const read = ctx.store.shared<StoredPolicy>('attestation.policies')
  const keyOf = (host: string, type: AttestationType) => `${host}/${type}`
  return {
    get: (host: string, type: AttestationType) => read.get(keyOf(host, type)),
    put: (host: string, type: AttestationType, policy: StoredPolicy) => policies.put(keyOf(host, type), policy),
    delete: (host: string, type: AttestationType) => policies.delete(keyOf(host, type)),
    deleteAll: (host: string) => {
      for (const [key] of policies.entries(`${host}/`)) policies.delete(key)
    },
  }
}

export function signerStore(ctx: EmulatorContext) {
  const signers = ctx.store.collection<StoredSigners>('attestation.signers')
  return {
    get: (host: string) => signers.get(host)?.chains ?? [],
    put: (host: string, chains: StoredSigners['chains']) => signers.put(host, { chains }),
    delete: (host: string) => signers.delete(host),
  }
}

/** Forgets what a provider kept, when it is deleted. */
export function forgetProvider(ctx: EmulatorContext, host: string): void {
  policyStore(ctx).deleteAll(host)
  signerStore(ctx).delete(host)
}
