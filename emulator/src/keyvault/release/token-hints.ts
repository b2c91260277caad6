import type { KeyObject } from 'node:crypto'

/**
 * The algorithms with which an attestation token may be signed. Azure's attestation services use RS256 alone, and no page
 * of Azure names another that the vault would take.
 */
export const ALGORITHMS = ['RS256'] as const

export const HINTS = {
  structure: 'Send the token of the attestation service unchanged as "target".',
  crit: 'The header demands extensions (crit) that the vault does not know. Azure Attestation makes no such tokens.',
  issuer: 'Attest with an attestation provider that this emulator has, or with an authority that it was told of.',
  noKid: 'The header names no key (kid). Send the token of the attestation service unchanged.',
  signature: 'The token was changed after it was signed, or somebody else signed it: attest again.',
  nbf: 'The clocks of the attestation service and of the vault disagree.',
  expired: 'Attest again: the token is older than its lifetime.',
  noExpiry: 'A token must say until when it holds (exp, a number of seconds).',
} as const

export function algorithmHint(algorithm: unknown): string {
  if (typeof algorithm === 'string' && algorithm.toLowerCase() === 'none') {
    return 'Use a token that the attestation service signed: a policy under test gives unsigned ones.'
  }
  if (typeof algorithm === 'string' && algorithm.startsWith('HS')) {
    return 'An attestation service has no secret to share with a vault. Whoever made this took its public key for one.'
  }
  return `Sign tokens with ${ALGORITHMS.join(' or ')}, as Azure Attestation does.`
}

/** About a token whose key the issuer does not have, or has twice. */
export function keyHint(key: KeyObject | 'ambiguous' | undefined, header: Readonly<Record<string, unknown>>): string {
  if (key === 'ambiguous') return 'The issuer publishes two keys under this kid. It must give each its own.'
  const own = ['jku', 'x5u', 'jwk', 'x5c'].filter((name) => header[name] !== undefined)
  const ignored = own.length === 0 ? '' : ` The key that its header brings along (${own.join(', ')}) does not count.`
  return `The issuer does not publish the key that signed this token: attest again.${ignored}`
}
