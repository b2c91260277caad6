import { systemClock } from '../../clock.ts'
import { InvalidArgumentError } from '../../http/endpoint.ts'
import { UpstreamError } from '../../http/upstream.ts'
import type { AttestationClaims } from '../claims.ts'
import type { RequiredClaims } from '../required-claims.ts'
import { createSigningKeys } from '../signing-keys.ts'
import { AttestationTokenError } from '../token-error.ts'
import { readVerification, type VerifyAttestationTokenOptions, verifyAttestationToken } from '../verify.ts'

/** Who is let in. `Request` is the framework's own request. */
export interface GateOptions<Request> extends Omit<VerifyAttestationTokenOptions, 'nonce' | 'claims'> {
  /** What a caller's token must say. Required: a shared provider attests anybody. */
  readonly claims: RequiredClaims
  /** Where the token is; default `Authorization: Bearer TOKEN`. Any other header holds the token alone. */
  readonly header?: string
  /**
   * The challenge that this request's token must have been made for, such as one kept in a session. A token without it
   * admits whoever holds a copy, for as long as it is valid.
   */
  readonly nonce?: (request: Request) => string | undefined | Promise<string | undefined>
  /** Told of every token that is refused, and of keys that cannot be had; the caller is told the code alone. */
  readonly onRefused?: (error: AttestationTokenError | UpstreamError, request: Request) => void
}

/** Who is let in, or how the refusal is answered. */
export type Admission =
  | { readonly claims: AttestationClaims }
  | { readonly status: 401 | 403 | 503; readonly headers: Readonly<Record<string, string>>; readonly body: string }

/** Takes the token from a header of the request; resolves, whatever the token. */
export type Gate<Request> = (header: (name: string) => string | undefined, request: Request) => Promise<Admission>

/** Refusals after which a better token of the same caller may pass: it is to attest itself again. */
const ASK_AGAIN = new Set(['ERR_TOKEN_CLAIM', 'ERR_TOKEN_DEBUGGABLE', 'ERR_TOKEN_RUNTIME_DATA'])

/** How long a caller is asked to wait while the authority's keys cannot be had, in seconds. */
const RETRY_AFTER = '30'

/**
 * What every middleware does: takes the token from the request, verifies it, and says how a refusal is answered: 401
 * without a token or with one that is not valid (RFC 6750, 3.1), 403 for one that is valid and not of the right guest,
 * 503 while the authority's keys cannot be had.
 * @throws InvalidArgumentError for options that cannot be meant
 */
export function createGate<Request>(options: GateOptions<Request>): Gate<Request> {
  const { header = 'authorization', nonce, onRefused, ...verification } = options
  // Now, rather than by the first caller.
  readVerification(options)
  if (typeof options.claims !== 'object' || options.claims === null)
    throw new InvalidArgumentError('claims', 'must say who is admitted')
  const { clock = systemClock, fetch } = options
  const keys = options.keys ?? createSigningKeys({ clock, ...(fetch && { fetch }) })
  return async (headerOf, request) => {
    const token = tokenOf(header, headerOf(header))
    if (token === undefined) return refusal(401, 'ERR_TOKEN_MISSING', 'an attestation token is required')
    try {
      const challenge = await nonce?.(request)
      if (nonce !== undefined && challenge === undefined)
        throw new AttestationTokenError('ERR_TOKEN_NONCE', 'no challenge was given out for this request')
      const claims = await verifyAttestationToken(token, {
        ...verification,
        keys,
        ...(challenge !== undefined && { nonce: challenge }),
      })
      return { claims }
    } catch (error) {
      if (!(error instanceof AttestationTokenError || error instanceof UpstreamError)) throw error
      onRefused?.(error, request)
      if (error instanceof UpstreamError)
        return refusal(503, error.code, 'the attestation authority cannot be asked', { 'Retry-After': RETRY_AFTER })
      return ASK_AGAIN.has(error.code)
        ? refusal(403, error.code, 'the caller is not what this service admits')
        : refusal(401, error.code, 'the attestation token is not valid')
    }
  }
}

/** An attestation token in compact form; RFC 6750 writes the scheme without regard to case. */
function tokenOf(header: string, value: string | undefined): string | undefined {
  if (value === undefined) return undefined
  const token = header.toLowerCase() === 'authorization' ? /^bearer +([^\s,]+) *$/i.exec(value)?.[1] : value.trim()
  return token || undefined
}

function refusal(
  status: 401 | 403 | 503,
  code: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Admission {
  const challenge =
    code === 'ERR_TOKEN_MISSING'
      ? 'Bearer realm="attested callers"'
      : `Bearer realm="attested callers", error="${status === 403 ? 'insufficient_scope' : 'invalid_token'}", error_description="${code}"`
  return {
    status,
    headers: {
      'Content-Type': 'application/json; charset=utf-8',
      'Cache-Control': 'no-store',
      ...(status !== 503 && { 'WWW-Authenticate': challenge }),
      ...headers,
    },
    body: JSON.stringify({ error: { code, message } }),
  }
}
