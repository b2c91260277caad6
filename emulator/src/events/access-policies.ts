import { createHash } from 'node:crypto'
import { COLLECTIONS, type EmulatorContext, type VaultRecord } from '../core/index.ts'
import { accessPolicyFacts, type EventFacts } from './event.ts'

/**
 * Tells when the access policies of a vault change, or whether role assignments decide instead: "Triggered when an access
 * policy on Key Vault changed". What was there last is kept, so that a change just before an end is told at the next start.
 */
export function watchAccessPolicies(ctx: EmulatorContext, publish: (facts: EventFacts) => void): Disposable {
  const { store } = ctx
  const vaults = store.shared<VaultRecord>(COLLECTIONS.vaults)
  const deleted = store.shared<unknown>(COLLECTIONS.deletedVaults)
  const seen = store.collection<string>('events.accessPolicies')

  const look = (): void => {
    // A vault that was purged is forgotten: the next one of its name is not a change of it.
    for (const [host] of seen.entries()) {
      if (vaults.get(host) === undefined && deleted.get(host) === undefined) seen.delete(host)
    }
    for (const vault of vaults.values()) {
      if (vault.kind !== 'vault') continue
      const before = seen.get(vault.host)
      const now = digestOf(vault)
      if (before === now) continue
      store.transaction(() => {
        seen.put(vault.host, now)
        if (before !== undefined) publish(accessPolicyFacts(vault))
      })
    }
  }
  look()
  return store.watch([COLLECTIONS.vaults, COLLECTIONS.deletedVaults], look)
}

function digestOf({ enableRbacAuthorization, accessPolicies = [] }: VaultRecord): string {
  const facts = JSON.stringify([enableRbacAuthorization, accessPolicies])
  return createHash('sha256').update(facts).digest('base64url')
}
