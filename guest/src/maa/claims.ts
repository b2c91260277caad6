import { AttestationTokenError } from './token-error.ts'

/**
 * What Microsoft Azure Attestation says in a token. Byte strings are lower-case hex in memory order; versions are
 * integers. Which members are there depends on what was attested. Source: Microsoft Learn, "Claim sets" and
 * "Attestation token claims".
 */
export interface AttestationClaims {
  /** The authority, `https://host`. */
  readonly iss: string
  /** Seconds since the Unix epoch. */
  readonly exp: number
  readonly nbf?: number
  readonly iat?: number
  readonly jti?: string
  /** As the request had it; a number in decimal. */
  readonly nonce?: string
  /** `sevsnpvm`, `sgx`, `azurevm`, `tdxvm` … */
  readonly 'x-ms-attestation-type'?: string
  readonly 'x-ms-ver'?: string
  readonly 'x-ms-policy-hash'?: string
  readonly 'x-ms-compliance-status'?: string
  /** The attested JSON: for a release `{ keys: [jwk] }`. */
  readonly 'x-ms-runtime'?: unknown
  readonly 'x-ms-inittime'?: unknown
  readonly 'x-ms-sevsnpvm-hostdata'?: string
  readonly 'x-ms-sevsnpvm-launchmeasurement'?: string
  readonly 'x-ms-sevsnpvm-reportdata'?: string
  readonly 'x-ms-sevsnpvm-reportid'?: string
  readonly 'x-ms-sevsnpvm-idkeydigest'?: string
  readonly 'x-ms-sevsnpvm-authorkeydigest'?: string
  readonly 'x-ms-sevsnpvm-familyId'?: string
  readonly 'x-ms-sevsnpvm-imageId'?: string
  readonly 'x-ms-sevsnpvm-is-debuggable'?: boolean
  readonly 'x-ms-sevsnpvm-migration-allowed'?: boolean
  readonly 'x-ms-sevsnpvm-smt-allowed'?: boolean
  readonly 'x-ms-sevsnpvm-bootloader-svn'?: number
  readonly 'x-ms-sevsnpvm-tee-svn'?: number
  readonly 'x-ms-sevsnpvm-snpfw-svn'?: number
  readonly 'x-ms-sevsnpvm-microcode-svn'?: number
  readonly 'x-ms-sevsnpvm-guestsvn'?: number
  readonly 'x-ms-sevsnpvm-vmpl'?: number
  readonly 'x-ms-sgx-is-debuggable'?: boolean
  readonly 'x-ms-sgx-mrenclave'?: string
  readonly 'x-ms-sgx-mrsigner'?: string
  readonly 'x-ms-sgx-product-id'?: number
  readonly 'x-ms-sgx-svn'?: number
  readonly 'x-ms-sgx-report-data'?: string
  /** Issued by the provider's policy, or newer than this list. */
  readonly [claim: string]: unknown
}

const TEXTS = [
  'iss',
  'jti',
  'nonce',
  'x-ms-attestation-type',
  'x-ms-ver',
  'x-ms-policy-hash',
  'x-ms-compliance-status',
  'x-ms-sevsnpvm-hostdata',
  'x-ms-sevsnpvm-launchmeasurement',
  'x-ms-sevsnpvm-reportdata',
  'x-ms-sevsnpvm-reportid',
  'x-ms-sevsnpvm-idkeydigest',
  'x-ms-sevsnpvm-authorkeydigest',
  'x-ms-sevsnpvm-familyId',
  'x-ms-sevsnpvm-imageId',
  'x-ms-sgx-mrenclave',
  'x-ms-sgx-mrsigner',
  'x-ms-sgx-report-data',
] as const

const INTEGERS = [
  'exp',
  'nbf',
  'iat',
  'x-ms-sevsnpvm-bootloader-svn',
  'x-ms-sevsnpvm-tee-svn',
  'x-ms-sevsnpvm-snpfw-svn',
  'x-ms-sevsnpvm-microcode-svn',
  'x-ms-sevsnpvm-guestsvn',
  'x-ms-sevsnpvm-vmpl',
  'x-ms-sgx-product-id',
  'x-ms-sgx-svn',
] as const

const BOOLEANS = [
  'x-ms-sevsnpvm-is-debuggable',
  'x-ms-sevsnpvm-migration-allowed',
  'x-ms-sevsnpvm-smt-allowed',
  'x-ms-sgx-is-debuggable',
] as const

/**
 * Checks that the claims this version knows are of their types, so that nobody compares `"false"` with false.
 * @throws AttestationTokenError `ERR_TOKEN_MALFORMED`
 */
export function typedClaims(payload: Readonly<Record<string, unknown>>): AttestationClaims {
  requireType(payload, TEXTS, 'a string', (value) => typeof value === 'string')
  requireType(payload, INTEGERS, 'an integer', Number.isInteger)
  requireType(payload, BOOLEANS, 'true or false', (value) => typeof value === 'boolean')
  return payload as AttestationClaims
}

function requireType(
  payload: Readonly<Record<string, unknown>>,
  names: readonly string[],
  what: string,
  fits: (value: unknown) => boolean,
): void {
  for (const claim of names) {
    if (payload[claim] !== undefined && !fits(payload[claim]))
      throw new AttestationTokenError('ERR_TOKEN_MALFORMED', `the claim ${claim} must be ${what}`, { claim })
  }
}

/**
 * Whether the host can read the memory of what was attested. Confidential VMs have the claims of their processor within
 * `x-ms-isolation-tee`; Open Enclave's older tokens say `is-debuggable`.
 */
export function isDebuggable(claims: Readonly<Record<string, unknown>>): boolean {
  const inner = claims['x-ms-isolation-tee']
  return (
    ['x-ms-sevsnpvm-is-debuggable', 'x-ms-sgx-is-debuggable', 'is-debuggable', 'tdx_td_attributes_debug'].some(
      (name) => claims[name] === true,
    ) ||
    (typeof inner === 'object' && inner !== null && isDebuggable(inner as Record<string, unknown>))
  )
}
