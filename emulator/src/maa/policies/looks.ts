import type { JournalCondition } from '../../core/index.ts'
import { AttestationError } from '../errors.ts'

/**
 * Looks at one thing after the other and goes on when one is wrong, so that the journal has all of it and the caller the
 * first.
 */
export class Looks {
  readonly conditions: JournalCondition[] = []
  #first: AttestationError | undefined

  /** What `look` returns; undefined where it refused. */
  at<T>(name: string, wanted: string, look: () => T): T | undefined {
    try {
      const result = look()
      this.conditions.push({ name, wanted, found: typeof result === 'string' ? result : wanted, met: true })
      return result
    } catch (error) {
      if (!(error instanceof AttestationError)) throw error
      this.conditions.push({ name, wanted, found: error.message, met: false, hint: HINTS[error.code] ?? error.message })
      this.#first ??= error
      return undefined
    }
  }

  /** @throws AttestationError the first refusal, with all that was seen */
  end(): void {
    const first = this.#first
    if (first !== undefined) throw new AttestationError(first.status, first.code, first.message, this.conditions)
  }
}

const HINTS: Readonly<Record<string, string>> = {
  InvalidOperation:
    'send a JWS: base64url of {"alg":"none"} or of a header with x5c, base64url of the payload, and the signature',
  InvalidParameter: 'x5c goes from the signing certificate up to a self-signed one with the basic constraint CA',
  PolicyParsingError: 'mend the policy text at this line and column',
}
