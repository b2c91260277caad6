import type { OrchestratorState } from './actions.ts'
import type { FailureDetails } from './events.ts'

/**
 * How the host and the Durable extension turn a function's error into what is kept: the worker's text is redacted and
 * wrapped, the extension cuts its own part out of it again. Kept as Azure has it, because apps match on such texts.
 */

const SECRETS = [
  'Token=',
  'DefaultEndpointsProtocol=http',
  'AccountKey=',
  'Data Source=',
  'Server=',
  'Password=',
  'pwd=',
  '&amp;sig=',
  '&sig=',
  '?sig=',
  '&amp;code=',
  '&code=',
  '?code=',
  'SharedAccessKey=',
  'key=',
]
const REPLACEMENT = '[Hidden Credential]'
const PATTERN = new RegExp(
  `(?:${SECRETS.map((secret) => {
    const literal = secret.replace(/[?.]/g, '\\$&')
    return secret === 'Token=' ? `(?<!PublicKey)${literal}` : literal
  }).join('|')})[^<"']*`,
  'gi',
)
const USER_INFO = /\b([a-z][a-z0-9+.-]*):\/\/[^\s/:@"'<]+:[^\s/@"'<]+@[^\s/"'<:]+:\d+/gi

/** Takes what looks like a credential, and all behind it up to the next `<`, `"` or `'`, out of a text. */
export function redact(text: string): string {
  return text.replace(PATTERN, REPLACEMENT).replace(USER_INFO, REPLACEMENT)
}

/** The text of a failed invocation as .NET has it. */
export function wrapFailure({ message, stackTrace }: { message: string; stackTrace: string }): string {
  return `Result: Failure\nException: ${redact(message)}\nStack: ${redact(stackTrace)}`
}

/** The extension's own cut: what stands behind `Exception:` up to the stack, with its leading blank. */
export function cutMessage(wrapped: string): string {
  const from = wrapped.indexOf('Exception:')
  if (from < 0) return wrapped
  const to = wrapped.indexOf('\nStack:', from)
  return wrapped.slice(from + 'Exception:'.length, to < 0 ? undefined : to)
}

const LABEL = '$OutOfProcData$:'

/** The state inside an orchestrator's failure; undefined: the error carries none; 'malformed': redaction broke it. */
export function stateOfFailure(message: string): OrchestratorState | 'malformed' | undefined {
  const redacted = redact(message)
  const at = redacted.indexOf(LABEL)
  if (at < 0) return undefined
  try {
    return JSON.parse(redacted.slice(at + LABEL.length)) as OrchestratorState
  } catch {
    return 'malformed'
  }
}

/** `Reason`, `Details` and, where the app gave them, `FailureDetails` of a failed activity. */
export function activityFailure(
  name: string,
  failure: { message: string; stackTrace: string },
): { Reason: string; Details: string; FailureDetails: FailureDetails | null } {
  const wrapped = wrapFailure(failure)
  return {
    Reason: `Activity function '${name}' failed: ${cutMessage(wrapped)}`,
    Details: exceptionJson(wrapped),
    FailureDetails: detailsFromApp(redact(failure.message)),
  }
}

/** The JSON of a .NET exception: a caller sees it behind the reason. */
function exceptionJson(message: string): string {
  return JSON.stringify({
    $type: 'Microsoft.Azure.WebJobs.Script.Workers.Rpc.RpcException, Microsoft.Azure.WebJobs.Script.Grpc',
    ClassName: 'Microsoft.Azure.WebJobs.Script.Workers.Rpc.RpcException',
    Message: message,
    Data: null,
    InnerException: null,
    HelpURL: null,
    StackTraceString: null,
    RemoteStackTraceString: null,
    HResult: -2146233088,
    Source: null,
  })
}

/** An app with an exception properties provider sends its error as JSON in the message. */
function detailsFromApp(message: string): FailureDetails | null {
  if (!message.startsWith('{')) return null
  try {
    const given = JSON.parse(message) as Record<string, unknown>
    if (typeof given.errorType !== 'string' || typeof given.errorMessage !== 'string') return null
    return {
      ErrorType: given.errorType,
      ErrorMessage: given.errorMessage,
      ...(typeof given.stackTrace === 'string' ? { StackTrace: given.stackTrace } : {}),
      IsNonRetriable: given.isNonRetriable === true,
      ...(typeof given.properties === 'object' && given.properties !== null
        ? { Properties: given.properties as Record<string, unknown> }
        : {}),
    }
  } catch {
    return null
  }
}
