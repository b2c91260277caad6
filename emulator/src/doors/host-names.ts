import { type AttestationProviderRecord, COLLECTIONS, type Store, type VaultRecord } from '../core/index.ts'

/** The names that exist whatever was created. The shared attestation provider is the one that examples use most. */
const FIXED = [
  'login.microsoftonline.com',
  'login.windows.net',
  'sts.windows.net',
  'management.azure.com',
  'kdsintf.amd.com',
  'global.acccache.azure.net',
  'sharedeus.eus.attest.azure.net',
  'sharedeus2.eus2.attest.azure.net',
  'sharedneu.neu.attest.azure.net',
  'sharedweu.weu.attest.azure.net',
]

/** Exact host names of what is emulated now: for places that know no wildcards, such as a hosts file. */
export function emulatedHostNames(store: Store): string[] {
  const vaults = store.collection<VaultRecord>(COLLECTIONS.vaults).values()
  const providers = store.collection<AttestationProviderRecord>(COLLECTIONS.attestationProviders).values()
  return [...new Set([...FIXED, ...vaults.map(({ host }) => host), ...providers.map(({ host }) => host)])]
}
