/** An error as ARM writes it. */
export interface NestedError {
  readonly code?: string
  readonly message?: string
  readonly details?: readonly NestedError[]
}

/** ARM nests the cause, sometimes as a JSON document in a message: the innermost one is what a person wants. */
export function deepestMessage(error: NestedError): string {
  const inner = error.details?.[0]
  if (inner) return deepestMessage(inner)
  const message = error.message ?? ''
  const within = message.trimStart().startsWith('{') ? errorIn(message) : undefined
  return within ? deepestMessage(within) : [error.code, message].filter(Boolean).join(': ')
}

/** The error of a body `{error: …}`; undefined for any other text. */
export function errorIn(text: string | null | undefined): NestedError | undefined {
  try {
    return (JSON.parse(text ?? '') as { error?: NestedError } | null)?.error
  } catch {
    return undefined
  }
}
