export type RunnerErrorCode =
  /** The native parts are not built, or not for this system. */
  | 'ERR_NATIVE_MISSING'
  /** They were built from other sources than the ones that lie here. */
  | 'ERR_NATIVE_STALE'
  | 'ERR_DEVICE_UNAVAILABLE'
  /** No /proc, or one that does not show this process. */
  | 'ERR_PROC_MISSING'
  /** The kernel, or a filter around this process, has no seccomp user notification. */
  | 'ERR_SECCOMP_MISSING'
  /** One listener a tree of processes: there is one above already. */
  | 'ERR_SECCOMP_LISTENER_TAKEN'
  | 'ERR_USER_NAMESPACE'
  /** A switch of this machine forbids user namespaces. */
  | 'ERR_USER_NAMESPACES_DISABLED'
  /** AppArmor takes the privileges out of user namespaces (Ubuntu 23.10 and later). */
  | 'ERR_USER_NAMESPACES_RESTRICTED'
  | 'ERR_MOUNT_NAMESPACE'
  | 'ERR_NETWORK_NAMESPACE'
  | 'ERR_CONFINEMENT'
  | 'ERR_COMMAND_NOT_FOUND'
  | 'ERR_COMMAND_NOT_EXECUTABLE'
  | 'ERR_COMMAND_HIDDEN'
  /** Below a seccomp filter of an ordinary user nothing gains privilege. */
  | 'ERR_SETUID_PROGRAM'
  | 'ERR_WORKING_DIRECTORY'
  /** Yama lets only descendants of the emulator be read. */
  | 'ERR_PTRACE_SCOPE'
  /** The caller is a process of another user. */
  | 'ERR_FOREIGN_PROCESS'
  /** The caller keeps its memory from its own user. */
  | 'ERR_UNDUMPABLE_PROCESS'
  /** The socket of a seccomp agent cannot be made. */
  | 'ERR_LISTENER_PATH'
  /** What came over that socket is no container process state, or of another profile. */
  | 'ERR_CONTAINER_STATE'

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
