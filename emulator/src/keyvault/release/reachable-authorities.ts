import type { Call } from '../call.ts'
import { KeyVaultError } from '../errors.ts'
import { ReleasePolicyProblem, readReleasePolicy, type WantedReleasePolicy } from '../rules/release-policy.ts'
import { AuthorityProblem, fetchAuthorityKeys } from './authority-metadata.ts'

/**
 * With the setting `authorityCheck` at `atCreation`: asks each authority of a policy for its keys before the
 * policy is stored, as a vault on Azure does. Managed HSMs were not seen to.
 * @throws KeyVaultError AKV.SKR.1012 for the first that cannot be asked; its status is not documented, 400 is that of its
 *   neighbours
 */
export async function requireReachableAuthorities(call: Call, policy: WantedReleasePolicy | undefined): Promise<void> {
  const { ctx } = call.parts
  if (policy === undefined || call.vault.kind === 'managedHsm') return
  if (ctx.settings.authorityCheck === 'atRelease') return
  for (const authority of authoritiesOf(policy)) {
    try {
      await fetchAuthorityKeys(ctx, authority)
    } catch (error) {
      if (!(error instanceof AuthorityProblem)) throw error
      throw unreachable(authority, error)
    }
  }
}

/** More than a policy has reason to name; nobody makes the vault knock at a thousand doors. */
const MOST_AUTHORITIES = 20

function authoritiesOf({ data }: WantedReleasePolicy): readonly string[] {
  try {
    const named = readReleasePolicy(data).anyOf.map(({ authority }) => authority)
    return [...new Set(named)].slice(0, MOST_AUTHORITIES)
  } catch (error) {
    // What is wrong with a policy is said where it is stored.
    if (error instanceof ReleasePolicyProblem) return []
    throw error
  }
}

function unreachable(authority: string, { message, hint }: AuthorityProblem): KeyVaultError {
  const text = `AKV.SKR.1012: The specified attestation service ${authority} cannot be reached.`
  const condition = { name: 'authority', wanted: 'OpenID metadata and a key set', found: message, met: false, hint }
  return new KeyVaultError(400, 'BadParameter', text, { evidence: { conditions: [condition], action: hint } })
}
