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
  if (message.trimStart().startsWith('{')) {
    try {
      const parsed = JSON.parse(message) as { error?: NestedError }
      if (parsed.error) return deepestMessage(parsed.error)
    } catch {
      // Not JSON after all: the text itself is the message.
    }
  }
  return [error.code, message].filter(Boolean).join(': ')
}
