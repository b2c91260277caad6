import type { ProcessorFaults } from './processor-faults.ts'

/**
 * The fault plan: what this instance does wrong, or no faster than Azure, on purpose, so that a person or a test can watch
 * what happens then. `none`, and nothing of the optional rest, unless the instance was started with it.
 */
export interface Faults {
  /**
   * - `policy`: the host starts guests with a CCE policy of which one byte differs from the one it was given;
   * - `debug`: the host launches guests with the debug bit set in the guest policy;
   * - `tcb`: the host's reported TCB and every certificate it hands out disagree.
   */
  readonly tamper: 'none' | 'policy' | 'debug' | 'tcb'
  readonly keyVault?: KeyVaultFaults
  readonly processor?: ProcessorFaults
}

/** How key vaults (never managed HSMs, which do all of it at once and do not throttle) keep a client waiting. */
export interface KeyVaultFaults {
  /**
   * How long a deletion takes, in milliseconds of the instance's clock. Until it is over `GET /deletedkeys/{name}` answers
   * 404, as do recovery and purge, the lists do not have the key, and create and import answer 409 `ObjectIsBeingDeleted`.
   */
  readonly deletionDelayMs?: number
  /**
   * How long a recovery takes, in milliseconds of the instance's clock. Until it is over `GET /keys/{name}` answers 404,
   * the lists do not have the key, and create and import answer 409 `ObjectIsBeingRecovered`.
   */
  readonly recoveryDelayMs?: number
  /**
   * How long a purge takes, in milliseconds of the instance's clock, to whole seconds. Until it is over the key is in
   * neither place, create and import answer 409 `ObjectIsBeingDeleted`, and restore answers 409 `Conflict`.
   */
  readonly purgeDelayMs?: number
  readonly throttle?: ThrottleFault
  /**
   * Tokens issued before this time (milliseconds since the epoch) are revoked: they get a 401 with a claims challenge
   * (continuous access evaluation) that asks for one issued from then on. Holds for managed HSMs too.
   */
  readonly tokensRevokedBefore?: number
}

export interface ThrottleFault {
  /** Which authenticated request of an instance gets 429 `Throttled`: every second with 2, every one with 1. */
  readonly every: number
  /** The answer's `Retry-After`, in whole seconds; absent: there is no such header. */
  readonly retryAfterSeconds?: number
}

export const NO_FAULTS: Faults = { tamper: 'none' }
