import type { VirtualGuest } from '../psp/types.ts'
import type { RunnerErrorCode } from './errors.ts'

/** Runs an unmodified program as if inside a confidential container (reference: the device below the system call). */
export interface ConfidentialRunner {
  /** How processes will be confined on this machine, found out once: what works, and in words what does not and why. */
  capabilities(): Promise<RunnerCapabilities>
  /**
   * A network of its own (user and network namespace) whose only ways out are the emulator's listeners.
   * Rejects with ERR_NETWORK_NAMESPACE where the kernel refuses one.
   */
  createNetwork(options: NetworkOptions): Promise<GroupNetwork>
  /**
   * Resolves when the program was started (its `exec` succeeded). Rejects with a RunnerError: ERR_COMMAND_NOT_FOUND,
   * ERR_COMMAND_NOT_EXECUTABLE, ERR_COMMAND_HIDDEN, ERR_SETUID_PROGRAM,
   * ERR_WORKING_DIRECTORY, ERR_DEVICE_UNAVAILABLE, or the code of the kernel's refusal (errors.ts). Where the machine has no
   * device below the system call, the program's module is run in a thread of this process instead.
   */
  start(options: ProcessOptions): Promise<ConfidentialProcess>
}

export interface RunnerCapabilities {
  /** How the device is made to exist below the system call; `none`: only programs that have a module can be run, in process. */
  readonly device: DeviceMechanism | 'none'
  readonly networkNamespace: boolean
  /** What the kernel refused, one entry for each feature that was tried and is not there. */
  readonly missing: readonly MissingFeature[]
  /** One sentence for each thing that is missing, for a person: names the kernel feature. */
  readonly notices: readonly string[]
}

export interface MissingFeature {
  readonly feature: DeviceMechanism | 'network-namespace'
  readonly code: RunnerErrorCode
  /** Names the step that was refused and, where it is known, the switch of this machine that is behind it. */
  readonly message: string
}

/** A node in the program's own mount namespace, or a descriptor that opens of the device's path are answered with. */
export type DeviceMechanism = 'mount-namespace' | 'injected-descriptor'

/** Which kernel generation's device the program finds: `/dev/sev-guest` (6.x) or `/dev/sev` (Azure's 5.15). */
export type DeviceGeneration = 'sev-guest' | 'sev'

export interface NetworkOptions {
  /** Called for each connection that a program of the network opens to one of the emulator's names, by TLS (443) or in clear (80). */
  readonly onConnection: (socket: import('node:net').Socket, port: 443 | 80) => void
  /**
   * The names that lead to the emulator at this moment: asked for when a program looks up one that was not among those last
   * set, which are then these. Absent: only those that were set exist.
   */
  readonly presentHostNames?: () => Promise<readonly string[]>
}

export interface GroupNetwork extends AsyncDisposable {
  /** Host names that lead to the emulator from now on (hosts file of the network): exact names, no wildcards. */
  setHostNames(names: readonly string[]): void
}

export interface ProcessOptions {
  readonly command: readonly [string, ...string[]]
  /** The program's whole environment. */
  readonly env: Readonly<Record<string, string>>
  readonly cwd?: string
  /** The same program for a machine where nothing can stand below the system call. */
  readonly module?: ProgramModule
  /** The guest whose processor answers the device. */
  readonly guest: VirtualGuest
  /** Default `sev-guest`. */
  readonly deviceGeneration?: DeviceGeneration
  /** Made read-only for the program where it has a mount namespace. The caller names it in the environment. */
  readonly securityContextDir?: string
  /** Files that stay readable inside a directory that the runner hides: the certificate that clients trust. */
  readonly visible?: readonly string[]
  /** Absent: the program stays in the caller's network. */
  readonly network?: GroupNetwork
  /** `inherit` for `skerry run`; otherwise whole lines as they come. */
  readonly output: 'inherit' | ((line: string, stream: 'stdout' | 'stderr') => void)
  /** Aborting kills the program and everything it started. */
  readonly signal?: AbortSignal
}

/**
 * An ES module that is imported in a thread with the program's environment. When it exports `main`, that is called with
 * a ModuleHost: the guest's processor is passed to it, not found.
 */
export interface ProgramModule {
  /** `file:` URL. */
  readonly url: string
  readonly args?: readonly string[]
}

export interface ConfidentialProcess {
  /** As the caller's PID namespace counts; of a module, this process's own. */
  readonly pid: number
  /** Resolves when the program ended, everything it started with it, and its output was delivered. */
  readonly exit: Promise<ProcessExit>
  /** Default SIGTERM. SIGKILL ends everything the program started, too. */
  kill(signal?: NodeJS.Signals): void
}

export interface ProcessExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}
