import type { TokenForm } from '../token-form.ts'

/** What a grant comes to: the body of the answer, and what the journal says of it. */
export interface Granted {
  readonly body: Readonly<Record<string, unknown>>
  /** Object id of whom the token is about. */
  readonly subject: string
  readonly summary: string
}

/** One value of `grant_type`. @throws TokenServiceError */
export type Grant = (request: TokenForm) => Promise<Granted>
