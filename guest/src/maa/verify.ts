import { createHash, timingSafeEqual } from 'node:crypto'
import { type Clock, systemClock } from '../clock.ts'
import { type Endpoint, InvalidArgumentError, parseEndpoint } from '../http/endpoint.ts'
import type { Fetch } from '../http/upstream.ts'
import { type AttestationClaims, isDebuggable, typedClaims } from './claims.ts'
import { type RequiredClaims, requireClaims } from './required-claims.ts'
import { createSigningKeys, type SigningKeys } from './signing-keys.ts'
import { AttestationTokenError } from './token-error.ts'

/** RFC 7518: what a provider's RSA key may sign with. Today it is RS256 alone. */
const ALLOWED_ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const
/** By their names in a JWS's header. */
export type TokenAlgorithm = (typeof ALLOWED_ALGORITHMS)[number]

/** Whom is believed, about what, for how long. */
export interface VerifyAttestationTokenOptions {
  /**
   * Who must have issued it: host names or https URLs of attestation providers. Keys come from there, never from where
   * the token points. A shared provider attests anybody: `claims` says whom to believe.
   */
  readonly authority: string | readonly string[]
  /** What it must say. */
  readonly claims?: RequiredClaims
  /** The challenge that it must have been made for, as the claim has it (a number in decimal). */
  readonly nonce?: string
  /** The bytes that must have been attested: their SHA-256 is what the report carries. For SEV-SNP and SGX tokens. */
  readonly runtimeData?: Uint8Array
  /** Takes a token whose guest the host may debug. Default: such a token is refused. */
  readonly allowDebuggable?: boolean
  /** How long ago it may have been issued, in seconds. Default: until it expires (8 hours). */
  readonly maxAgeSeconds?: number
  /** Slack for clocks that differ, in seconds. Default 60. */
  readonly clockToleranceSeconds?: number
  /** Default RS256. */
  readonly algorithms?: readonly TokenAlgorithm[]
  /** Published keys kept between calls; default: kept by this module, or asked for anew when `fetch` or `clock` is brought. */
  readonly keys?: SigningKeys
  /** Default: Node's `fetch`. */
  readonly fetch?: Fetch
  /** Default: the system's. */
  readonly clock?: Clock
}

const sharedKeys = createSigningKeys()

/** Real tokens have some 5 KB; nothing longer is looked at. */
const LONGEST_TOKEN = 256 * 1024

/**
 * Verifies a token of Microsoft Azure Attestation: issuer, signature by a key that the issuer publishes, time, and what
 * it says.
 * @returns the claims, those that are known of their types
 * @throws AttestationTokenError; UpstreamError when the authority's keys cannot be had; InvalidArgumentError
 */
export async function verifyAttestationToken(
  token: string,
  options: VerifyAttestationTokenOptions,
): Promise<AttestationClaims> {
  const { clock = systemClock } = options
  const { authorities, algorithms } = readVerification(options)
  if (typeof token !== 'string') throw new AttestationTokenError('ERR_TOKEN_MALFORMED', 'it is not a text')
  if (token.length > LONGEST_TOKEN) throw new AttestationTokenError('ERR_TOKEN_MALFORMED', 'it is too long')
  const issuer = await issuerOf(token, authorities)
  const keys = options.keys ?? (options.fetch || options.clock ? createSigningKeys(options) : sharedKeys)
  const claims = typedClaims(await verifySignature(token, { issuer, keys, algorithms, clock, options }))
  if (options.nonce !== undefined && !sameText(claims.nonce, options.nonce))
    throw new AttestationTokenError('ERR_TOKEN_NONCE', 'it was not made for this challenge', { claim: 'nonce' })
  if (options.runtimeData !== undefined) requireRuntimeData(claims, options.runtimeData)
  if (options.allowDebuggable !== true && isDebuggable(claims))
    throw new AttestationTokenError('ERR_TOKEN_DEBUGGABLE', 'what it attests may be debugged by its host')
  requireClaims(claims, options.claims ?? {})
  return claims
}

/**
 * What cannot be meant is refused, rather than that everything passes: no time is later than `NaN`.
 * @throws InvalidArgumentError
 */
export function readVerification(
  options: Pick<VerifyAttestationTokenOptions, 'authority' | 'algorithms' | 'maxAgeSeconds' | 'clockToleranceSeconds'>,
) {
  const { algorithms = ['RS256'] } = options
  const wrong = algorithms.find((algorithm) => !ALLOWED_ALGORITHMS.includes(algorithm))
  if (wrong !== undefined || algorithms.length === 0)
    throw new InvalidArgumentError('algorithms', `must be some of ${ALLOWED_ALGORITHMS.join(', ')}`)
  for (const name of ['maxAgeSeconds', 'clockToleranceSeconds'] as const) {
    const seconds = options[name]
    if (seconds !== undefined && !(Number.isFinite(seconds) && seconds >= 0))
      throw new InvalidArgumentError(name, `must be a number of seconds, not ${seconds}`)
  }
  return { authorities: readAuthorities(options.authority), algorithms }
}

function readAuthorities(authority: string | readonly string[]): Endpoint[] {
  const list = typeof authority === 'string' ? [authority] : authority
  if (list.length === 0) throw new InvalidArgumentError('authority', 'must name an attestation provider')
  return list.map((text) => parseEndpoint('authority', text))
}

/** The issuer only chooses among the authorities that were named; it is verified with the rest. */
async function issuerOf(token: string, authorities: readonly Endpoint[]): Promise<Endpoint> {
  const { decodeJwt } = await import('jose')
  let iss: unknown
  try {
    iss = decodeJwt(token).iss
  } catch (cause) {
    throw new AttestationTokenError('ERR_TOKEN_MALFORMED', 'it is not a JWT in compact form', { cause })
  }
  const issuer = authorities.find(({ url }) => url === iss)
  if (issuer === undefined)
    throw new AttestationTokenError(
      'ERR_TOKEN_ISSUER',
      `it was not issued by ${authorities.map(({ url }) => url).join(' or ')}`,
      { claim: 'iss' },
    )
  return issuer
}

interface Verification {
  readonly issuer: Endpoint
  readonly keys: SigningKeys
  readonly algorithms: readonly TokenAlgorithm[]
  readonly clock: Clock
  readonly options: VerifyAttestationTokenOptions
}

async function verifySignature(token: string, verification: Verification): Promise<Record<string, unknown>> {
  const { issuer, keys, algorithms, clock, options } = verification
  const { jwtVerify } = await import('jose')
  try {
    const { payload } = await jwtVerify(
      token,
      async ({ kid }) => {
        if (kid === undefined) throw new AttestationTokenError('ERR_TOKEN_KEY', 'its header names no key')
        return await keys.keyOf(issuer, kid)
      },
      {
        issuer: issuer.url,
        algorithms: [...algorithms],
        currentDate: new Date(clock.now()),
        clockTolerance: options.clockToleranceSeconds ?? 60,
        requiredClaims: ['exp'],
        ...(options.maxAgeSeconds !== undefined && { maxTokenAge: options.maxAgeSeconds }),
      },
    )
    return payload
  } catch (error) {
    throw tokenErrorOf(error)
  }
}

/** What the JOSE library found, in the words of this package. Errors of the keys pass as they are. */
function tokenErrorOf(error: unknown): unknown {
  const { code, claim, reason } = error as { code?: unknown; claim?: string; reason?: string }
  const refuse = (as: AttestationTokenError['code'], message: string, named?: string) =>
    new AttestationTokenError(as, message, { cause: error, ...(named !== undefined && { claim: named }) })
  switch (code) {
    case 'ERR_JWT_EXPIRED':
      return claim === 'iat'
        ? refuse('ERR_TOKEN_TOO_OLD', 'it was issued too long ago', 'iat')
        : refuse('ERR_TOKEN_EXPIRED', 'it has expired', 'exp')
    case 'ERR_JWT_CLAIM_VALIDATION_FAILED':
      if (claim === 'nbf' || (claim === 'iat' && reason === 'check_failed'))
        return refuse('ERR_TOKEN_NOT_YET_VALID', 'it is not valid yet', claim)
      return refuse('ERR_TOKEN_CLAIM', `the claim ${claim} is missing or invalid`, claim)
    case 'ERR_JOSE_ALG_NOT_ALLOWED':
    case 'ERR_JOSE_NOT_SUPPORTED':
      return refuse('ERR_TOKEN_ALGORITHM', 'it is signed with an algorithm that is not allowed')
    case 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED':
      return refuse('ERR_TOKEN_SIGNATURE', 'its signature does not verify')
    case 'ERR_JWS_INVALID':
    case 'ERR_JWT_INVALID':
      return refuse('ERR_TOKEN_MALFORMED', 'it is not a JWT as the service makes them')
    default:
      return error
  }
}

/** Report data is the SHA-256 of the runtime data with zeros behind it. */
function requireRuntimeData(claims: AttestationClaims, runtimeData: Uint8Array): void {
  const name = ['x-ms-sevsnpvm-reportdata', 'x-ms-sgx-report-data'].find((claim) => claims[claim] !== undefined)
  const wanted = createHash('sha256').update(runtimeData).digest('hex').padEnd(128, '0')
  if (name === undefined || !sameText(claims[name], wanted))
    throw new AttestationTokenError('ERR_TOKEN_RUNTIME_DATA', 'it attests other data than was expected', {
      ...(name !== undefined && { claim: name }),
    })
}

function sameText(found: unknown, wanted: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return typeof found === 'string' && timingSafeEqual(digest(found), digest(wanted))
}
