/**
 * The words of a failed activity without Durable's wrapping (`Activity function 'x' failed: … \n details`), and without
 * what follows the first line: details are a stack trace of the worker.
 */
export function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  const unwrapped = message.replace(/^(?:Activity|Orchestrator) function '[^']*' failed:\s*/, '')
  return unwrapped.split(/\r?\n/, 1)[0]!.trim().slice(0, 500)
}
