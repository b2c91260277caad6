/**
 * Evidence could not be put together. `ERR_TCB_MISMATCH`: the report says one TCB and the certificates another, after
 * both were asked for again; nothing was sent to an attestation service.
 */
export class AttestationError extends Error {
  /** Stable; see above. */
  readonly code: 'ERR_TCB_MISMATCH' | 'ERR_CERTIFICATES'

  constructor(code: AttestationError['code'], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'AttestationError'
    this.code = code
  }
}
