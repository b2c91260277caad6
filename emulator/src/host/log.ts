/** The levels of the Functions core API. */
export type LogLevel = 'trace' | 'debug' | 'information' | 'warning' | 'error' | 'critical' | 'none'

/** One line that the app or the host wrote. */
export interface HostLogEntry {
  readonly level: LogLevel
  /** `user`: `context.log`; `console`: the app's standard output and error; `system`: the library; `host`: the host. */
  readonly category: 'user' | 'console' | 'system' | 'customMetric' | 'host'
  readonly message: string
  readonly functionName?: string
  readonly invocationId?: string
}

export type HostLog = (entry: HostLogEntry) => void
