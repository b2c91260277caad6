export type RunnerErrorCode =
  | 'ERR_NATIVE_MISSING'
  | 'ERR_DEVICE_UNAVAILABLE'
  | 'ERR_NETWORK_NAMESPACE'
  | 'ERR_CONFINEMENT'
  | 'ERR_COMMAND_NOT_FOUND'
  | 'ERR_COMMAND_NOT_EXECUTABLE'
  | 'ERR_COMMAND_HIDDEN'
  | 'ERR_WORKING_DIRECTORY'

/** A program that could not be started as a confidential container's, or a feature of the kernel that it takes. */
export class RunnerError extends Error {
  override readonly name = 'RunnerError'
  readonly code: RunnerErrorCode
  /** The step that the kernel refused, when it was one: names the feature. */
  readonly step: string | undefined
  /** `EPERM` and the like. */
  readonly errno: string | undefined

  constructor(code: RunnerErrorCode, message: string, cause?: { readonly step: string; readonly errno: string }) {
    super(message)
    this.code = code
    this.step = cause?.step
    this.errno = cause?.errno
  }
}
