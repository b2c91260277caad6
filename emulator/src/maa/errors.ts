import type { JournalCondition } from '../core/index.ts'
import type { PolicySyntaxError } from './policy/errors.ts'

/** An answer of the service that is not a token, in Azure Attestation's own form. */
export class AttestationError extends Error {
  readonly status: number
  readonly code: string
  /** Everything that was looked at, for the journal: the caller is told of the first that was wrong. */
  readonly conditions: readonly JournalCondition[]

  constructor(status: number, code: string, message: string, conditions: readonly JournalCondition[] = []) {
    super(message)
    this.name = 'AttestationError'
    this.status = status
    this.code = code
    this.conditions = conditions
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

/** No token, one that is not good, or one of somebody without the role: Azure Attestation says the same to all of them. */
export function unauthorized(): AttestationError {
  return new AttestationError(401, 'Unauthorized', 'Unauthorized')
}

/** What this emulator does not do; Azure does. */
export function notCovered(what: string): AttestationError {
  return new AttestationError(501, 'SkerryNotCovered', `Skerry does not cover ${what}.`)
}

/*
 * What the service's enclave refuses: number, HRESULT and words as in Microsoft's troubleshooting guide and in recorded
 * answers (2023), without the file names and addresses.
 */

const enclave = (code: string, number: number, hresult: string, words: string, detail: string): AttestationError =>
  new AttestationError(
    400,
    code,
    `Attestation Enclave operation failed with ${number}: Exception(0) ${hresult} ${words} Msg:[${detail}]`,
  )

/** What should be a JWS, or base64url, or have a claim, and has not. */
export function badMessage(detail: string): AttestationError {
  return enclave('InvalidOperation', 74, '83FF004A', 'Bad message', detail)
}

/** An unsigned policy where it must be signed, and policy signers where there are none. */
export function disallowed(detail: string): AttestationError {
  return enclave('InvalidOperation', 65530, '83FFFFFA', 'The operation is disallowed', detail)
}

/** A chain of certificates without its end. */
export function noSuchIssuer(detail: string): AttestationError {
  return enclave('InvalidParameter', 65529, '83FFFFF9', 'The requested item is not found', detail)
}

export function policyParsingError({ symbol, line, column, message, rule }: PolicySyntaxError): AttestationError {
  const clipped = symbol.length > 80 ? `${symbol.slice(0, 80)}…` : symbol
  const detail =
    `Policy Parser Exception Thrown: Offending symbol: '${clipped}'\nLine: '${line}', Column: '${column}'\n` +
    `Failure message: '${message}'\nFailing rule: '${rule}'`
  return enclave('PolicyParsingError', 65526, '83FFFFF6', 'Invalid policy was specified', detail)
}

export function policyEvaluationError(detail: string): AttestationError {
  return enclave(
    'PolicyEvaluationError',
    65518,
    '83FFFFEE',
    'Policy Evaluation Error has occurred',
    `Policy Engine Exception: ${detail}`,
  )
}
