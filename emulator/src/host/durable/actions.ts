/** What the JavaScript library answers after a turn: every action since the start of the execution, and how it ended. */

export const ActionType = {
  CallActivity: 0,
  CallActivityWithRetry: 1,
  CallSubOrchestrator: 2,
  CallSubOrchestratorWithRetry: 3,
  ContinueAsNew: 4,
  CreateTimer: 5,
  WaitForExternalEvent: 6,
  CallEntity: 7,
  CallHttp: 8,
  SignalEntity: 9,
  WhenAny: 11,
  WhenAll: 12,
  LockEntities: 13,
  ReleaseEntities: 14,
} as const

export interface Action {
  readonly actionType: number
  readonly functionName?: string
  readonly input?: unknown
  readonly retryOptions?: RetryOptions
  readonly instanceId?: string
  readonly version?: string
  readonly fireAt?: string
  readonly isCanceled?: boolean
  readonly externalEventName?: string
  readonly operation?: string
  readonly httpRequest?: HttpAction
  readonly compoundActions?: readonly Action[]
  readonly lockRequestId?: string
  readonly lockSet?: readonly { readonly name: string; readonly key: string }[]
}

export interface RetryOptions {
  readonly firstRetryIntervalInMilliseconds: number
  readonly maxNumberOfAttempts: number
  readonly backoffCoefficient?: number
  readonly maxRetryIntervalInMilliseconds?: number
  readonly retryTimeoutInMilliseconds?: number
}

export interface HttpAction {
  readonly method: string
  readonly uri: string
  readonly content?: string
  readonly headers?: Record<string, string>
  readonly tokenSource?: { readonly kind?: string; readonly resource?: string }
  readonly asynchronousPatternEnabled?: boolean
}

export interface OrchestratorState {
  readonly isDone: boolean
  readonly actions: readonly (readonly Action[])[]
  readonly output?: unknown
  readonly error?: string
  readonly customStatus?: unknown
  readonly schemaVersion?: number
  readonly failureDetails?: import('./events.ts').FailureDetails
}

/** The name under which callHttp's request runs, as the extension calls it. */
export const HTTP_ACTIVITY = 'BuiltIn::HttpActivity'

/** An input as the worker receives it: an encoded string stays as it is, anything else becomes JSON text. */
export function inputText(input: unknown): string | undefined {
  if (input === undefined || input === null) return undefined
  return typeof input === 'string' ? input : JSON.stringify(input)
}
