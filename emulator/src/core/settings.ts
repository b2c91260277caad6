import type { EvaluationSettings } from '@skerry/guest/wire'

/**
 * How this instance behaves where Azure can be set up in more than one way, or where Microsoft's own pages disagree.
 * Each default is what live Azure was seen to do, or the reason beside it.
 */
export interface Settings {
  /**
   * Origins (`https://host[:port]`, or `http://` for loopback) outside of the emulator that the vault may ask for OpenID
   * metadata and keys, and Entra for those of a federated identity's issuer. Nothing else is ever asked for.
   */
  readonly authorities: readonly string[]
  readonly releasePolicy: ReleasePolicySettings
  /**
   * When a vault asks the authorities of a policy for their keys. Azure's does so already when the policy is stored, and
   * refuses one that cannot be reached (AKV.SKR.1012). `atRelease`: here most authorities of Azure are out of reach by
   * design, and their policies must be storable. `atCreation`: as Azure.
   */
  readonly authorityCheck: 'atRelease' | 'atCreation'
  /** Where Event Grid's events of vaults are posted; absent: nowhere. */
  readonly eventWebhook?: string
  readonly attestation: AttestationSettings
}

/** Whose processors Azure Attestation believes here, whose word on utility VM images, and how long its keys sign. */
export interface AttestationSettings {
  /**
   * `emulator`: this instance's virtual processors and their endorser. `amd`: processors under AMD's own root keys, and
   * nothing of the emulator, so that evidence of production hosts verifies and none that was made here. `both`. For SGX it
   * is Intel's root key in AMD's place, without collateral: TCB and revocation of real platforms are not evaluated.
   */
  readonly trust: 'emulator' | 'amd' | 'both'
  /** Endorsers of images beside the emulator's own. */
  readonly endorsers: readonly UvmEndorser[]
  /**
   * After how long the attestation service signs with a new key (`P90D`, `90d`); at least an hour. Absent: only when it is
   * asked to. Azure's schedule is not known, and clients that read its keys once are not to meet a new one by surprise.
   */
  readonly signingKeyLifetime?: string
}

/** Who may endorse a utility VM image, and under which feed. */
export interface UvmEndorser {
  /** did:x509. */
  readonly issuer: string
  readonly feed: string
  /** The least security version that is taken. Absent: any. */
  readonly minimumSvn?: number
}

/**
 * The points of the release policy on which Microsoft's pages disagree ("Azure Key Vault secure key release policy
 * grammar"). The reasons at length: decisions/release-policy-settings.md.
 */
export interface ReleasePolicySettings extends Required<EvaluationSettings> {
  /**
   * The grammar names seven operators, while its text says that only `equals` works in the first iteration.
   * `all`: the grammar is the contract. With `equals-only` a condition with another operator is never met.
   */
  readonly operators: 'all' | 'equals-only'
  /** The grammar page nests `anyOf` and `allOf`; the page on the concepts says that it cannot be done. `allowed`: as the grammar. */
  readonly nesting: 'allowed' | 'refused'
  /** MAA writes `iss` without a trailing slash, Microsoft's policies list authorities with one, and release works. */
  readonly trailingSlash: 'ignored' | 'significant'
  /**
   * `canonical`: the claim `true` meets `"true"`, and 0 meets `"0"`, as recorded of vault and managed HSM in 2026.
   * `typed`: a value meets only one of its own JSON type.
   */
  readonly coercion: 'canonical' | 'typed'
}

export const DEFAULT_SETTINGS: Settings = {
  authorities: [],
  authorityCheck: 'atRelease',
  attestation: { trust: 'emulator', endorsers: [] },
  releasePolicy: {
    operators: 'all',
    nesting: 'allowed',
    trailingSlash: 'ignored',
    coercion: 'canonical',
  },
}
