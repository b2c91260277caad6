import type { AttestationSettings } from '../../core/settings.ts'
import type { SgxCollateral } from './collateral.ts'
import { BASELINES, DEFAULT_BASELINE } from './own-collateral.ts'
import type { SgxPlatform } from './types.ts'

/** Intel's SGX Root CA: SHA-256 of its SubjectPublicKeyInfo (DER). Two certificates of one key are in use; the key counts. */
export const INTEL_SGX_ROOT_SPKI_SHA256 = 'a0af031289f5d5d4132f9186068a7fc13628633ba235777472e29b6b6c67a49e'

/** What a verifier of quotes believes without proof: some roots, and for each where the collateral comes from. */
export interface SgxTrust {
  readonly roots: readonly TrustedSgxRoot[]
}

export interface TrustedSgxRoot {
  /** Of the SubjectPublicKeyInfo (DER), lower-case hex. */
  readonly spkiSha256: string
  /**
   * Finds the collateral of a platform. Without it TCB, quoting enclave and revocation are not evaluated: a genuine quote
   * of a platform with known holes passes. The journal says so, and the claims have the hashes of nothing.
   */
  readonly collateral?: CollateralSource
}

export interface CollateralQuery {
  /** 12 lower-case hex digits. */
  readonly fmspc: string
  /** 4 lower-case hex digits. */
  readonly pceId: string
  /** What the policy asks for: `azuredefault` or a number. */
  readonly baseline: string
}

export type CollateralSource = (query: CollateralQuery) => Promise<SgxCollateral | undefined>

/** This instance's own root, with its own collateral. */
export async function ownSgxRoot(platform: SgxPlatform): Promise<TrustedSgxRoot> {
  return {
    spkiSha256: await platform.rootSpkiSha256(),
    async collateral({ baseline }) {
      const number = baseline === 'azuredefault' ? DEFAULT_BASELINE : Number(baseline)
      return BASELINES.includes(number) ? platform.collateral(number) : undefined
    },
  }
}

/** Intel's root; without a source the collateral is not evaluated, since no registry of Intel's can be asked from here. */
export function intelSgxRoot(collateral?: CollateralSource): TrustedSgxRoot {
  return { spkiSha256: INTEL_SGX_ROOT_SPKI_SHA256, ...(collateral !== undefined && { collateral }) }
}

/** What the settings come to: trust in `amd`'s own keys is trust in the makers of processors, and so in Intel's. */
export async function sgxTrust(
  { trust }: Pick<AttestationSettings, 'trust'>,
  platform: SgxPlatform,
): Promise<SgxTrust> {
  const makers = trust === 'emulator' ? [] : [intelSgxRoot()]
  return { roots: trust === 'amd' ? makers : [await ownSgxRoot(platform), ...makers] }
}
