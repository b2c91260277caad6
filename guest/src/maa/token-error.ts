/**
 * An attestation token was not accepted:
 * - `ERR_TOKEN_MALFORMED`: not a JWT in compact form, or a claim is not of the type that the service documents;
 * - `ERR_TOKEN_ALGORITHM`: signed with an algorithm that is not allowed, `none` among them;
 * - `ERR_TOKEN_ISSUER`: not issued by an authority that was named;
 * - `ERR_TOKEN_KEY`: its key is not among those that the authority publishes, or is unfit;
 * - `ERR_TOKEN_SIGNATURE`: the signature does not verify;
 * - `ERR_TOKEN_EXPIRED`, `ERR_TOKEN_NOT_YET_VALID`, `ERR_TOKEN_TOO_OLD`: not valid now, or older than was allowed;
 * - `ERR_TOKEN_CLAIM`: a claim is missing or is not what was required (`claim` names it);
 * - `ERR_TOKEN_DEBUGGABLE`: the host can read the memory of what was attested;
 * - `ERR_TOKEN_NONCE`: not made for this challenge;
 * - `ERR_TOKEN_RUNTIME_DATA`: attests other data than was expected.
 *
 * No message holds the token.
 */
export type AttestationTokenErrorCode =
  | 'ERR_TOKEN_MALFORMED'
  | 'ERR_TOKEN_ALGORITHM'
  | 'ERR_TOKEN_ISSUER'
  | 'ERR_TOKEN_KEY'
  | 'ERR_TOKEN_SIGNATURE'
  | 'ERR_TOKEN_EXPIRED'
  | 'ERR_TOKEN_NOT_YET_VALID'
  | 'ERR_TOKEN_TOO_OLD'
  | 'ERR_TOKEN_CLAIM'
  | 'ERR_TOKEN_DEBUGGABLE'
  | 'ERR_TOKEN_NONCE'
  | 'ERR_TOKEN_RUNTIME_DATA'

/** The token was refused; the code says why, and `claim` of which claim. */
export class AttestationTokenError extends Error {
  /** Stable. */
  readonly code: AttestationTokenErrorCode
  /** Which claim, with dots between the names where it lies within another. */
  readonly claim?: string

  constructor(code: AttestationTokenErrorCode, message: string, details: { claim?: string; cause?: unknown } = {}) {
    super(
      `the attestation token is refused: ${message}`,
      details.cause === undefined ? undefined : { cause: details.cause },
    )
    this.name = 'AttestationTokenError'
    this.code = code
    if (details.claim !== undefined) this.claim = details.claim
  }
}
