import { encodeHex } from './bytes.ts'
import { WireError } from './errors.ts'
import {
  type AuthorityRule,
  type ClaimCondition,
  operatorOf,
  RELEASE_POLICY_VERSION,
  type ReleasePolicy,
} from './release-policy.ts'

export const HOST_DATA_CLAIM = 'x-ms-sevsnpvm-hostdata'

export interface AciReleasePolicyOptions {
  /** The attestation provider: host name or URL. */
  readonly authority: string
  /** HOST_DATA in hex (or 32 bytes). With several, each is accepted: old and new during an upgrade. */
  readonly hostData: string | Uint8Array | readonly (string | Uint8Array)[]
  /**
   * Further conditions, as `claims` of an importkeyconfig.json: each inner list is one way to be allowed. What
   * confidential ACI always needs is added to each; a list that names another host data than `hostData` is refused.
   */
  readonly claims?: readonly (readonly ClaimCondition[])[]
}

/** What every release to a confidential container group must show, besides its host data. */
const ALWAYS: readonly ClaimCondition[] = [
  { claim: 'x-ms-attestation-type', equals: 'sevsnpvm' },
  { claim: 'x-ms-compliance-status', equals: 'azure-compliant-uvm' },
  { claim: 'x-ms-sevsnpvm-is-debuggable', equals: 'false' },
  { claim: 'x-ms-sevsnpvm-vmpl', equals: '0' },
]

/**
 * The policy that lets a key go to a confidential container group and nowhere else: its host data, on Microsoft's
 * utility VM, not debuggable, at VMPL 0. One authority entry for each host data, without nested groups, which not
 * every page of the documentation allows.
 * @throws WireError `ERR_HOST_DATA`, `ERR_CLAIM_CONFLICT` when a given condition contradicts what must hold
 */
export function aciReleasePolicy(options: AciReleasePolicyOptions): ReleasePolicy {
  const authority = authorityUrl(options.authority)
  const given = options.hostData
  const hostData = (Array.isArray(given) ? given : [given]).map(hostDataHex)
  if (hostData.length === 0) throw new WireError('ERR_HOST_DATA', 'a release policy needs at least one host data')
  const ways = options.claims === undefined || options.claims.length === 0 ? [[]] : options.claims
  const anyOf = ways.flatMap((claims, index) => {
    const pinned = equalsOf(claims, HOST_DATA_CLAIM)?.toLowerCase()
    const accepted = pinned === undefined ? hostData : hostData.filter((hex) => hex === pinned)
    if (accepted.length === 0) throw conflict(`/claims/${index}`, HOST_DATA_CLAIM, hostData.join(' or '))
    return accepted.map((hex): AuthorityRule => ({ authority, allOf: mergeClaims(hex, claims, `/claims/${index}`) }))
  })
  return { version: RELEASE_POLICY_VERSION, anyOf }
}

/** `https://` and the host name of a provider that is given as host name or URL; no trailing slash. */
export function authorityUrl(endpoint: string): string {
  const text = endpoint.includes('://') ? endpoint : `https://${endpoint}`
  if (!URL.canParse(text))
    throw new WireError('ERR_AUTHORITY', 'the attestation endpoint is neither a host name nor a URL')
  const url = new URL(text)
  return `${url.origin}${url.pathname === '/' ? '' : url.pathname}`
}

function mergeClaims(hostDataText: string, claims: readonly ClaimCondition[], at: string): ClaimCondition[] {
  const needed: ClaimCondition[] = [{ claim: HOST_DATA_CLAIM, equals: hostDataText }, ...ALWAYS]
  const further = claims.filter((condition) => {
    const must = needed.find(({ claim }) => claim === condition.claim)
    if (must === undefined) return true
    const { operator, value } = operatorOf(condition)
    const wanted = String(operatorOf(must).value)
    const same = condition.claim === HOST_DATA_CLAIM ? String(value).toLowerCase() === wanted : String(value) === wanted
    if (operator !== 'equals' || !same) throw conflict(at, condition.claim, wanted)
    return false
  })
  return [...needed, ...further]
}

function equalsOf(claims: readonly ClaimCondition[], name: string): string | undefined {
  const value = claims.find(({ claim, equals }) => claim === name && equals !== undefined)?.equals
  return value === undefined ? undefined : String(value)
}

function conflict(at: string, claim: string, wanted: string): WireError {
  return new WireError(
    'ERR_CLAIM_CONFLICT',
    `the conditions give ${claim} another value than the ${wanted} that must hold`,
    at,
  )
}

function hostDataHex(value: string | Uint8Array): string {
  const hex = (typeof value === 'string' ? value : encodeHex(value)).toLowerCase()
  if (!/^[0-9a-f]{64}$/.test(hex)) throw new WireError('ERR_HOST_DATA', 'host data is 32 bytes in hexadecimal')
  return hex
}
