/**
 * A template that Azure Resource Manager would not accept: 400 `InvalidTemplate`. `path` is where in the request body.
 * `reason` is the inner sentence; `message` is the whole text of the answer.
 */
export class TemplateError extends Error {
  readonly code: string = 'InvalidTemplate'
  readonly reason: string
  readonly path: string | undefined

  constructor(reason: string, path?: string, message?: string) {
    super(message ?? `Deployment template validation failed: '${reason}'.`)
    this.name = 'TemplateError'
    this.reason = reason
    this.path = path
  }
}

/** An expression that does not parse or cannot be computed. */
export class ExpressionError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ExpressionError'
  }
}
