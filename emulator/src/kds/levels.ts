import {
  decodeTcb,
  encodeTcb,
  equalBytes,
  type SnpProduct,
  type TcbVersion,
  tcbFromHex,
  WireError,
} from '@skerry/guest/wire'

/** What each level is called in a request to AMD's service. */
const PARAMETERS = {
  fmc: 'fmcSPL',
  bootLoader: 'blSPL',
  tee: 'teeSPL',
  snp: 'snpSPL',
  microcode: 'ucodeSPL',
} as const satisfies Record<keyof TcbVersion, string>

/**
 * The levels of a request, by name, in any order, decimal, zero-padded or not; or the name of the parameter that is wrong.
 * Turin has `fmcSPL`, the others have not.
 */
export function readSecurityLevels(
  query: Readonly<Record<string, string>>,
  product: SnpProduct,
): { readonly tcb: TcbVersion } | { readonly wrong: string } {
  const level = (name: keyof TcbVersion) => {
    const text = query[PARAMETERS[name]] ?? ''
    const value = /^[0-9]{1,3}$/.test(text) ? Number(text) : 256
    return value > 255 ? undefined : value
  }
  const names = ['bootLoader', 'tee', 'snp', 'microcode', ...(product === 'Turin' ? (['fmc'] as const) : [])] as const
  const levels: Partial<Record<keyof TcbVersion, number>> = {}
  for (const name of names) {
    const value = level(name)
    if (value === undefined) return { wrong: PARAMETERS[name] }
    levels[name] = value
  }
  return { tcb: levels as unknown as TcbVersion }
}

/** The TCB of a path of Azure's cache: the u64 in hex without leading zeros. Undefined when it is no TCB of this product. */
export function readCacheTcb(hex: string, product: SnpProduct): TcbVersion | undefined {
  try {
    const bytes = tcbFromHex(hex)
    const tcb = decodeTcb(bytes, product)
    return equalBytes(encodeTcb(tcb, product), bytes) ? tcb : undefined
  } catch (error) {
    if (error instanceof WireError) return undefined
    throw error
  }
}
