/** What can go wrong while the Functions host starts or runs. `code` is stable; `message` is one line for a person. */
export type HostErrorCode =
  | 'ERR_HOST_APP_NOT_FOUND'
  | 'ERR_HOST_APP_LOAD'
  | 'ERR_HOST_APP_TEST_MODE'
  | 'ERR_HOST_APP_INVALID'
  | 'ERR_HOST_CONFIG'
  | 'ERR_HOST_PORT_IN_USE'
  | 'ERR_HOST_DATA_IN_USE'
  | 'ERR_HOST_APP_EXITED'
  | 'ERR_HOST_STOPPED'
  | 'ERR_HOST_NOT_COVERED'
  | 'ERR_HOST_CLOCK'
  | 'ERR_HOST_UNKNOWN_FUNCTION'
  | 'ERR_HOST_SCHEDULE'

export class HostError extends Error {
  override readonly name = 'HostError'
  readonly code: HostErrorCode

  constructor(code: HostErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** The message of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
