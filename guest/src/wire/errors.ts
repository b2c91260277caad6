/**
 * A value that does not have the form its format demands. `code` is stable and names the rule that was broken; `at`
 * says where: a JSON pointer for JSON documents, `field@0xOFFSET` for binary ones. The message never repeats a secret.
 */
export class WireError extends Error {
  readonly code: string
  readonly at?: string

  constructor(code: string, message: string, at?: string, options?: { cause?: unknown }) {
    super(message, options)
    this.name = 'WireError'
    this.code = code
    if (at !== undefined) this.at = at
  }
}
