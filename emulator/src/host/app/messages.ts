import type { HostLogEntry } from '../log.ts'
import type { FunctionMetadata, InvocationRequest, InvocationResponse } from './rpc.ts'

/** What the app's thread is started with. */
export interface AppThreadData {
  readonly appDir: string
  readonly hostVersion: string
  /** PEM of one more certificate authority that this thread trusts. */
  readonly caPem?: string
}

export type ToApp =
  | { kind: 'invoke'; request: InvocationRequest }
  | { kind: 'http'; id: string; request: DurableHttpCall }
  | { kind: 'terminate' }

export type FromApp =
  | {
      kind: 'ready'
      functions: FunctionMetadata[]
      model?: { name: string; version: string }
      capabilities: Record<string, string>
    }
  | {
      kind: 'loadFailed'
      code: 'ERR_HOST_APP_NOT_FOUND' | 'ERR_HOST_APP_LOAD' | 'ERR_HOST_APP_TEST_MODE'
      message: string
    }
  | { kind: 'response'; id: string; response: InvocationResponse }
  | { kind: 'failure'; id: string; failure: InvocationFailure }
  | { kind: 'httpResponse'; id: string; response: DurableHttpAnswer }
  | { kind: 'log'; entry: HostLogEntry }
  | { kind: 'terminated' }

/** How a failed invocation looks on the wire. */
export interface InvocationFailure {
  readonly message: string
  readonly stackTrace: string
}

/** The `httpRequest` of an orchestrator's callHttp. */
export interface DurableHttpCall {
  readonly method: string
  readonly uri: string
  readonly content?: string
  readonly headers?: Record<string, string>
}

export interface DurableHttpAnswer {
  readonly statusCode: number
  /** One value: a string; several: an array. */
  readonly headers: Record<string, string | string[]>
  readonly content: string
}
