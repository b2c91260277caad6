/** A policy text that is none. Line from 1, column from 0, as the service counts them. */
export class PolicySyntaxError extends Error {
  readonly code = 'ERR_POLICY_SYNTAX'
  readonly symbol: string
  readonly line: number
  readonly column: number
  /** The rule of the grammar, outermost first: `policy > versionInfo`. */
  readonly rule: string

  constructor(reason: string, at: { symbol: string; line: number; column: number }, rule: string) {
    super(reason)
    this.name = 'PolicySyntaxError'
    this.symbol = at.symbol
    this.line = at.line
    this.column = at.column
    this.rule = rule
  }
}

/** A policy that could not be evaluated to its end: a function was given what it does not take. */
export class PolicyRunError extends Error {
  readonly code = 'ERR_POLICY_RUN'
  constructor(message: string) {
    super(message)
    this.name = 'PolicyRunError'
  }
}
