import type { Faults, JournalRecord } from '../../core/index.ts'

export type Tamper = Exclude<Faults['tamper'], 'none'>

export const TAMPERS: readonly Tamper[] = ['policy', 'debug', 'tcb']

/** Exit codes of a run whose tampering was caught as it must be. 1 is any other failure, 2 a usage error. */
export const CAUGHT: Readonly<Record<Tamper, number>> = { policy: 3, debug: 4, tcb: 5 }

export interface Verdict {
  readonly caught: boolean
  /** What a person should learn from the run. */
  readonly lesson: string
  /** The decision that refused, if one did. */
  readonly denial?: JournalRecord
}

/**
 * Whether the run ended as it must under this tampering: refused by the vault over the tampered claim, or, where report and
 * certificates disagree, stopped in the guest before anything was asked of MAA or vault.
 */
export function judge(tamper: Tamper, records: readonly JournalRecord[], phase: string): Verdict {
  const releases = records.filter((record) => record.operation === 'release')
  const allowed = releases.find((record) => record.outcome === 'allowed')
  if (phase !== 'Failed' || allowed)
    return { caught: false, lesson: 'The key was released although the host tampered.' }
  if (tamper === 'tcb') {
    const attested = records.some((record) => record.service === 'maa' && record.operation === 'attest')
    const caught = releases.length === 0 && !attested
    return {
      caught,
      lesson: caught
        ? 'Report and certificates disagree on the TCB: the guest refreshed its certificates once, asked for a new report once, and stopped. MAA and the vault were never asked.'
        : 'The guest asked MAA or the vault with evidence that cannot verify.',
    }
  }
  const claim = tamper === 'policy' ? 'x-ms-sevsnpvm-hostdata' : 'x-ms-sevsnpvm-is-debuggable'
  const denial = releases.findLast((record) => record.outcome === 'denied')
  const unmet = denial?.conditions?.find(({ name, met }) => name.includes(claim) && !met)
  if (!denial || !unmet || denial.answer?.status !== 403) {
    return { caught: false, lesson: `No release was refused with 403 over ${claim}.`, ...(denial && { denial }) }
  }
  const lesson =
    tamper === 'policy'
      ? 'The host started the group with another CCE policy than the one the key was made for. The guest runs and attests; its host data gives it away.'
      : 'The host launched the guest debuggable, so it could read its memory. The report says so, and the vault keeps the key.'
  return { caught: true, lesson, denial }
}
