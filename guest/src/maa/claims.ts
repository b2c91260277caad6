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
  /** Seconds; the service has it equal to `iat`. */
  readonly nbf?: number
  /** When it was issued, in seconds. */
  readonly iat?: number
  /** 64 hex digits, another for each token. */
  readonly jti?: string
  /** As the request had it; a number in decimal. */
  readonly nonce?: string
  /** `sevsnpvm`, `sgx`, `azurevm`, `tdxvm` … */
  readonly 'x-ms-attestation-type'?: string
  /** `1.0`. */
  readonly 'x-ms-ver'?: string
  /** Base64url of the SHA-256 of the provider's policy. */
  readonly 'x-ms-policy-hash'?: string
  /** `azure-compliant-uvm`: Microsoft endorsed the utility VM that was measured. Absent when nothing did. */
  readonly 'x-ms-compliance-status'?: string
  /** The attested JSON: for a release `{ keys: [jwk] }`. */
  readonly 'x-ms-runtime'?: unknown
  /** The JSON that was given at the guest's start, where there was some. */
  readonly 'x-ms-inittime'?: unknown
  /** 32 bytes. Of a container group: the SHA-256 of its CCE policy. */
  readonly 'x-ms-sevsnpvm-hostdata'?: string
  /** 48 bytes: what the guest began with. */
  readonly 'x-ms-sevsnpvm-launchmeasurement'?: string
  /** 64 bytes: the SHA-256 of the runtime data, and zeros. */
  readonly 'x-ms-sevsnpvm-reportdata'?: string
  /** 32 bytes: another at each start of the guest. */
  readonly 'x-ms-sevsnpvm-reportid'?: string
  /** 48 bytes: the SHA-384 of the key that signed the guest's id block. */
  readonly 'x-ms-sevsnpvm-idkeydigest'?: string
  /** 48 bytes: of the key that signed that key. */
  readonly 'x-ms-sevsnpvm-authorkeydigest'?: string
  /** 16 bytes. */
  readonly 'x-ms-sevsnpvm-familyId'?: string
  /** 16 bytes. */
  readonly 'x-ms-sevsnpvm-imageId'?: string
  /** The host can read the guest's memory. */
  readonly 'x-ms-sevsnpvm-is-debuggable'?: boolean
  /** By the guest's policy. */
  readonly 'x-ms-sevsnpvm-migration-allowed'?: boolean
  /** By the guest's policy: two threads on a core. */
  readonly 'x-ms-sevsnpvm-smt-allowed'?: boolean
  /** 0 to 255, of the reported TCB, as the next three. */
  readonly 'x-ms-sevsnpvm-bootloader-svn'?: number
  /** Of the processor's operating system. */
  readonly 'x-ms-sevsnpvm-tee-svn'?: number
  /** Of the SNP firmware. */
  readonly 'x-ms-sevsnpvm-snpfw-svn'?: number
  /** Of the microcode. */
  readonly 'x-ms-sevsnpvm-microcode-svn'?: number
  /** Of the guest, as its id block says; that of the endorsement is in `x-ms-sevsnpvm-uvm-endorsement`. */
  readonly 'x-ms-sevsnpvm-guestsvn'?: number
  /**
   * What Microsoft endorsed about the utility VM: an object with `x-ms-sevsnpvm-launchmeasurement` (48 bytes) and
   * `x-ms-sevsnpvm-guestsvn` (decimal text).
   */
  readonly 'x-ms-sevsnpvm-uvm-endorsement'?: unknown
  /** Privilege level that asked, 0 to 3. */
  readonly 'x-ms-sevsnpvm-vmpl'?: number
  /** A debugger can read the enclave. */
  readonly 'x-ms-sgx-is-debuggable'?: boolean
  /** 32 bytes: what the enclave began with. */
  readonly 'x-ms-sgx-mrenclave'?: string
  /** 32 bytes: the SHA-256 of its signer's modulus. */
  readonly 'x-ms-sgx-mrsigner'?: string
  /** 16 bits, the signer's number for it. */
  readonly 'x-ms-sgx-product-id'?: number
  /** 16 bits, the signer's version of it. */
  readonly 'x-ms-sgx-svn'?: number
  /** 64 bytes: the SHA-256 of the runtime data, and zeros. */
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
