import { encodeTcb, equalBytes, type SnpProduct, type TcbVersion } from '@skerry/guest/wire'

const LEVELS = ['fmc', 'bootLoader', 'tee', 'snp', 'microcode'] as const satisfies readonly (keyof TcbVersion)[]

/** Whether no level of `a` is above that of `b`. TCBs are compared level by level, never as numbers. */
export function atMost(a: TcbVersion, b: TcbVersion): boolean {
  return LEVELS.every((level) => (a[level] ?? 0) <= (b[level] ?? 0))
}

/** The higher one of each level. */
export function highest(a: TcbVersion, b: TcbVersion): TcbVersion {
  const { fmc, ...rest } = Object.fromEntries(
    LEVELS.map((level) => [level, Math.max(a[level] ?? 0, b[level] ?? 0)]),
  ) as Record<(typeof LEVELS)[number], number>
  return a.fmc === undefined && b.fmc === undefined ? rest : { fmc, ...rest }
}

/** One update further: the next microcode, or the next SNP firmware where that is the last. */
export function nextTcb(tcb: TcbVersion): TcbVersion {
  return tcb.microcode < 255 ? { ...tcb, microcode: tcb.microcode + 1 } : { ...tcb, snp: tcb.snp + 1 }
}

/** Which certificates there are for a TCB that a host has moved to. */
export type CertificateSupply =
  /** THIM and AMD's service have them. */
  | 'fresh'
  /** AMD's service has them; THIM still hands out those of before. */
  | 'stale'
  /** Nobody has: AMD has not certified that TCB yet. */
  | 'missing'

export interface TcbState {
  readonly reported: TcbVersion
  readonly committed: TcbVersion
  readonly current: TcbVersion
  /** What THIM and the certificate table have certificates for. */
  readonly supplied: TcbVersion
  isCertified(tcb: TcbVersion): boolean
  /** The host sets another reported TCB; committed and current follow where it is above them. */
  roll(next: TcbVersion, supply: CertificateSupply): void
}

/** The TCBs of one host. Certificates exist for its levels and for every one below, as for any chip of AMD's. */
export function createTcbState(
  product: SnpProduct,
  initial: Pick<TcbState, 'reported' | 'committed' | 'current'>,
): TcbState {
  let { reported, committed, current } = initial
  let supplied = reported
  let ceilings: readonly TcbVersion[] = [current]
  const uncertified: Uint8Array[] = []
  return {
    get reported() {
      return reported
    },
    get committed() {
      return committed
    },
    get current() {
      return current
    },
    get supplied() {
      return supplied
    },
    isCertified(tcb) {
      const bytes = encodeTcb(tcb, product)
      return ceilings.some((ceiling) => atMost(tcb, ceiling)) && !uncertified.some((one) => equalBytes(one, bytes))
    },
    roll(next, supply) {
      const bytes = encodeTcb(next, product)
      reported = next
      committed = highest(committed, next)
      current = highest(current, committed)
      const at = uncertified.findIndex((one) => equalBytes(one, bytes))
      if (supply === 'missing') {
        if (at < 0) uncertified.push(bytes)
        return
      }
      if (at >= 0) uncertified.splice(at, 1)
      ceilings = [...ceilings, next]
      if (supply === 'fresh') supplied = next
    },
  }
}
