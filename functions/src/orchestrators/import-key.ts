import * as df from 'durable-functions'
import { ensureKey } from '../activities/key.ts'
import { findVault } from '../activities/vault.ts'
import { type Outcome, refused } from '../azure/outcome.ts'
import { ORCHESTRATION } from '../deployment/names.ts'
import type { KeyReference, KeySpec, VaultReference } from '../deployment/record.ts'
import { releasePolicyOf } from '../deployment/release-policy.ts'
import type { Pace } from '../settings.ts'
import { reasonOf } from './reason.ts'
import type { Steps } from './story.ts'

export interface ImportKeyInput {
  readonly subscriptionId: string
  readonly key: KeySpec
  /** Lower-case hex. */
  readonly hostData: string
  readonly operation: string
  readonly pace: Pace
}

/** A key alone, from an import configuration: made in the vault under its release policy. */
export function* importKey(context: df.OrchestrationContext): Steps<Outcome<KeyReference>> {
  try {
    return yield* makeKey(context)
  } catch (error) {
    return refused('ERR_ACTIVITY', reasonOf(error))
  }
}

function* makeKey(context: df.OrchestrationContext): Steps<Outcome<KeyReference>> {
  const { subscriptionId, key, hostData, operation, pace } = context.df.getInput<ImportKeyInput>()!
  const retry = new df.RetryOptions(Math.max(1, pace.retrySeconds * 1000), 4)
  const vault = (yield context.df.callActivityWithRetry(findVault.name, retry, {
    subscriptionId,
    vaultHost: key.vaultHost,
  })) as Outcome<VaultReference>
  if (!vault.ok) return vault
  return (yield context.df.callActivityWithRetry(ensureKey.name, retry, {
    vault: vault.value,
    key,
    releasePolicy: releasePolicyOf(key, [hostData]),
    deployment: `key-${key.name}`,
    operation,
  })) as Outcome<KeyReference>
}

df.app.orchestration(ORCHESTRATION.importKey, importKey)
