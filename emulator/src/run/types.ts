import type { VirtualGuest } from '../psp/types.ts'

/** Runs an unmodified program as if inside a confidential container (reference: the device below the system call). */
export interface ConfidentialRunner {
  /** How processes will be confined on this machine, found out once: what works, and in words what does not and why. */
  capabilities(): Promise<RunnerCapabilities>
  /** A network of its own (user and network namespace) whose only ways out are the emulator's listeners. */
  createNetwork(options: NetworkOptions): Promise<GroupNetwork>
  start(options: ProcessOptions): Promise<ConfidentialProcess>
}

export interface RunnerCapabilities {
  /** How the device is made to exist. */
  readonly device: 'mount-namespace' | 'injected-descriptor' | 'none'
  readonly networkNamespace: boolean
  /** One sentence for each thing that is missing, for a person: names the kernel feature. */
  readonly notices: readonly string[]
}

export interface NetworkOptions {
  /** Called for each connection that a program of the network opens to one of the emulator's names, by TLS (443) or in clear (80). */
  readonly onConnection: (socket: import('node:net').Socket, port: 443 | 80) => void
}

export interface GroupNetwork extends AsyncDisposable {
  /** Host names that lead to the emulator from now on (hosts file of the network): exact names, no wildcards. */
  setHostNames(names: readonly string[]): void
}

export interface ProcessOptions {
  readonly command: readonly [string, ...string[]]
  readonly env: Readonly<Record<string, string>>
  readonly cwd?: string
  /** The guest whose processor answers the device. */
  readonly guest: VirtualGuest
  /** Which device the program finds: `/dev/sev-guest` (6.x kernels) or `/dev/sev` (Azure's 5.15). Default `sev-guest`. */
  readonly deviceGeneration?: 'sev-guest' | 'sev'
  /** Absent: the program stays in the caller's network. */
  readonly network?: GroupNetwork
  /** `inherit` for `skerry run`; otherwise whole lines as they come. */
  readonly output: 'inherit' | ((line: string, stream: 'stdout' | 'stderr') => void)
  readonly signal?: AbortSignal
}

export interface ConfidentialProcess {
  readonly pid: number
  /** Resolves when the program ended. */
  readonly exit: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
  kill(signal?: NodeJS.Signals): void
}
