/**
 * What a processor, its host and AMD's services do wrong on purpose. Everything is counted, nothing is random: the same
 * requests in the same order meet the same faults.
 */
export interface ProcessorFaults {
  /** Requests of guests that fail as a whole. The first that applies counts. */
  readonly requests?: readonly GuestRequestFault[]
  /** The host moves to another TCB in mid-run. */
  readonly tcbRoll?: TcbRollFault
  /** Intermediates that the revocation lists name. */
  readonly revoked?: readonly ('ask' | 'asvk')[]
  /** Answers of THIM, of AMD's key distribution service and of Azure's cache of it. */
  readonly thim?: AnswerFault
  readonly kds?: AnswerFault
  readonly certificateCache?: AnswerFault
}

export interface GuestRequestFault {
  /** Which request of a guest, counted from 1: of this kind where one is named, otherwise reports and keys together. */
  readonly at: number
  /** How many from there on. Default 1. */
  readonly count?: number
  /** An extended report is a report. */
  readonly kind?: 'report' | 'key'
  /**
   * - `firmware`: the firmware refuses the request as a whole, with `status` in the low half of exitinfo2;
   * - `vmm`: the hypervisor does, with `status` in the high half;
   * - `busy`: the hypervisor throttles; the driver tries again every two seconds and gives up after a minute;
   * - `response`: the answer does not decrypt;
   * - `sequence`: the message counter is used up;
   * - `again`: the driver takes no request (EAGAIN), and nothing is lost.
   */
  readonly failure: 'firmware' | 'vmm' | 'busy' | 'response' | 'sequence' | 'again'
  /** Of `firmware` and `vmm`. Default 19 (hardware error) and 1 (too little room for certificates). */
  readonly status?: number
}

export interface TcbRollFault {
  /** Before which report of the processor, counted from 1 over all guests. */
  readonly at: number
  /** `fresh`: THIM and AMD have certificates for it; `stale`: only AMD; `missing`: nobody. Default `fresh`. */
  readonly certificates?: 'fresh' | 'stale' | 'missing'
}

/** Which answers are an error: every n-th, or so many from the n-th on. */
export type AnswerFault = AnswerFailure &
  ({ readonly every: number } | { readonly at: number; readonly count?: number })

export interface AnswerFailure {
  /** Default 429. */
  readonly status?: number
  /** The answer's `Retry-After`, in whole seconds; absent: there is no such header. */
  readonly retryAfterSeconds?: number
}
