import type { AttestationSettings, ReleasePolicySettings, Settings } from '../../core/settings.ts'
import type { GivenSettings } from '../../seed/merge.ts'

/** The flags of `skerry up` that are settings. */
export interface SettingFlags {
  readonly authority?: readonly string[]
  readonly authorityCheck?: Settings['authorityCheck']
  readonly eventWebhook?: string
  readonly attestationTrust?: AttestationSettings['trust']
  readonly releasePolicy?: Partial<ReleasePolicySettings>
}

/** What was not given is left out: there a seed or the default decides. */
export function settingsOf(flags: SettingFlags): GivenSettings {
  const { authority, authorityCheck, eventWebhook, attestationTrust, releasePolicy } = flags
  return {
    ...(authority !== undefined && { authorities: authority }),
    ...(authorityCheck !== undefined && { authorityCheck }),
    ...(eventWebhook !== undefined && { eventWebhook }),
    ...(attestationTrust !== undefined && { attestation: { trust: attestationTrust } }),
    ...(releasePolicy !== undefined && { releasePolicy }),
  }
}
