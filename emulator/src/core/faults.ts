/**
 * The fault plan: what this instance does wrong on purpose, so that a person can watch what happens then.
 * `none` unless the instance was started with one.
 */
export interface Faults {
  /**
   * - `policy`: the host starts guests with a CCE policy of which one byte differs from the one it was given;
   * - `debug`: the host launches guests with the debug bit set in the guest policy;
   * - `tcb`: the host's reported TCB and every certificate it hands out disagree.
   */
  readonly tamper: 'none' | 'policy' | 'debug' | 'tcb'
}

export const NO_FAULTS: Faults = { tamper: 'none' }
