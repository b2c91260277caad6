import { type AttestationProviderRecord, COLLECTIONS, type Store, type VaultRecord } from '../core/index.ts'
import { sharedProviderHosts } from '../maa/index.ts'

/** The names that exist whatever was created. */
const FIXED = [
  'login.microsoftonline.com',
  'login.windows.net',
  'login.microsoft.com',
  'sts.windows.net',
  'graph.microsoft.com',
  'management.azure.com',
  'kdsintf.amd.com',
  'global.acccache.azure.net',
  ...sharedProviderHosts(),
]

/** Exact host names of what is emulated now: for places that know no wildcards, such as a hosts file. */
export function emulatedHostNames(store: Store): string[] {
  const vaults = store.collection<VaultRecord>(COLLECTIONS.vaults).values()
  const providers = store.collection<AttestationProviderRecord>(COLLECTIONS.attestationProviders).values()
  return [...new Set([...FIXED, ...vaults.map(({ host }) => host), ...providers.map(({ host }) => host)])]
}
