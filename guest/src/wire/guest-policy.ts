import { WireError } from './errors.ts'

/** The guest policy (u64) that was in force at launch. Source: AMD 56860, "Guest Policy". */
export interface GuestPolicy {
  /** Least ABI version of the firmware. */
  readonly abiMajor: number
  readonly abiMinor: number
  readonly smtAllowed: boolean
  /** A migration agent may be associated. */
  readonly migrationAllowed: boolean
  readonly debugAllowed: boolean
  readonly singleSocket: boolean
  readonly cxlAllowed: boolean
  readonly aes256XtsRequired: boolean
  readonly raplDisabled: boolean
  readonly ciphertextHidingRequired: boolean
  readonly pageSwapDisabled: boolean
}

const FLAGS = {
  smtAllowed: 16n,
  migrationAllowed: 18n,
  debugAllowed: 19n,
  singleSocket: 20n,
  cxlAllowed: 21n,
  aes256XtsRequired: 22n,
  raplDisabled: 23n,
  ciphertextHidingRequired: 24n,
  pageSwapDisabled: 25n,
} as const satisfies Partial<Record<keyof GuestPolicy, bigint>>

type Flag = keyof typeof FLAGS
const FLAG_NAMES = Object.keys(FLAGS) as Flag[]

/** Reserved, and must be one. */
const BIT_17 = 1n << 17n

/**
 * Reads a guest policy.
 * @throws WireError `ERR_GUEST_POLICY` when bit 17 is zero or one of bits 63:26 is not
 */
export function decodeGuestPolicy(policy: bigint): GuestPolicy {
  if ((policy & BIT_17) === 0n)
    throw new WireError('ERR_GUEST_POLICY', 'bit 17 of a guest policy must be one', 'policy.17')
  if (policy >> 26n !== 0n)
    throw new WireError('ERR_GUEST_POLICY', 'bits 63:26 of a guest policy must be zero', 'policy.26')
  const flags = Object.fromEntries(FLAG_NAMES.map((name) => [name, ((policy >> FLAGS[name]) & 1n) === 1n])) as Record<
    Flag,
    boolean
  >
  return { abiMinor: Number(policy & 0xffn), abiMajor: Number((policy >> 8n) & 0xffn), ...flags }
}

/** Writes a guest policy; bit 17 is always set. Flags that are left out are off. */
export function encodeGuestPolicy(policy: Pick<GuestPolicy, 'abiMajor' | 'abiMinor'> & Partial<GuestPolicy>): bigint {
  for (const name of ['abiMajor', 'abiMinor'] as const) {
    const value = policy[name]
    if (!Number.isInteger(value) || value < 0 || value > 255) {
      throw new WireError('ERR_GUEST_POLICY', `${name} is a byte, not ${value}`, `policy.${name}`)
    }
  }
  return FLAG_NAMES.reduce(
    (word, name) => (policy[name] ? word | (1n << FLAGS[name]) : word),
    BigInt(policy.abiMinor) | (BigInt(policy.abiMajor) << 8n) | BIT_17,
  )
}
