/** An answer of the service that is not a token, in Azure Attestation's own form. */
export class AttestationError extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, message: string) {
    super(message)
    this.name = 'AttestationError'
    this.status = status
    this.code = code
  }

  /** The inner pair repeats the outer one, as recorded from the service. */
  body(): { error: { code: string; message: string; innererror: { code: string; message: string } } } {
    const pair = { code: this.code, message: this.message }
    return { error: { ...pair, innererror: pair } }
  }
}

/** Bad evidence of any kind; Azure does not say more. */
export function invalidParameter(message: string): AttestationError {
  return new AttestationError(400, 'InvalidParameter', message)
}

/** What this emulator does not do; Azure does. */
export function notCovered(what: string): AttestationError {
  return new AttestationError(501, 'SkerryNotCovered', `Skerry does not cover ${what}.`)
}
