import { aciReleasePolicy, type ReleasePolicy } from '@skerry/guest/wire'
import type { KeySpec } from './record.ts'

/**
 * The release policy of a deployment: only a guest with one of these host data values, on an unmodified Azure UVM, not
 * debuggable, asking from VMPL 0 (and what the import configuration adds) may have the key.
 * @param hostData lower-case hex, one value, or two while an upgrade moves from the old policy to the new
 */
export function releasePolicyOf(key: KeySpec, hostData: readonly string[]): ReleasePolicy {
  return aciReleasePolicy({ authority: key.authority, hostData, claims: key.claims })
}

/** The policy as Key Vault's clients take it: the UTF-8 bytes of its JSON. */
export function encodeReleasePolicy(policy: ReleasePolicy): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(policy))
}
