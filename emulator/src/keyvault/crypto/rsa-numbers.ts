/** The members of a private RSA key (RFC 8017 section 3.2), big-endian. */
export type RsaNumbers = Readonly<Record<'n' | 'e' | 'd' | 'p' | 'q' | 'dp' | 'dq' | 'qi', Buffer>>

/** Of the longest key that a vault takes. */
const MOST_BYTES = 512

/**
 * Whether the numbers are those of one key. OpenSSL does not look: where the Chinese remainder theorem gives nonsense it
 * computes with `d`, and such a key would sign here and be of no use to whom it is released.
 */
export function belongTogether(numbers: RsaNumbers): boolean {
  if (Object.values(numbers).some(({ length }) => length === 0 || length > MOST_BYTES)) return false
  const { n, e, d, p, q, dp, dq, qi } = Object.fromEntries(
    Object.entries(numbers).map(([name, bytes]) => [name, BigInt(`0x${bytes.toString('hex')}`)]),
  ) as Record<keyof RsaNumbers, bigint>
  if (p < 2n || q < 2n || n !== p * q) return false
  const inverse = (a: bigint, b: bigint, modulus: bigint) => modulus > 0n && (a * b) % modulus === 1n % modulus
  return (
    inverse(e, d, p - 1n) &&
    inverse(e, d, q - 1n) &&
    inverse(e, dp, p - 1n) &&
    inverse(e, dq, q - 1n) &&
    inverse(qi, q, p)
  )
}
