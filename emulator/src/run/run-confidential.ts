import { SECURITY_CONTEXT_DIR_VARIABLE } from '@skerry/guest/wire'
import type { VirtualGuest } from '../psp/types.ts'
import { writeSecurityContext } from './security-context.ts'
import { makeStateFolder, removeStateFolder } from './state-folder.ts'
import type {
  ConfidentialRunner,
  DeviceGeneration,
  GroupNetwork,
  NetworkOptions,
  ProcessExit,
  ProcessOptions,
} from './types.ts'

export interface RunConfidentialOptions {
  readonly runner: ConfidentialRunner
  readonly command: readonly [string, ...string[]]
  /** The program's whole environment; UVM_SECURITY_CONTEXT_DIR is added. */
  readonly env: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly guest: VirtualGuest
  readonly deviceGeneration?: DeviceGeneration
  /** File name to content, as the guest agent writes them: base64 text. Empty content is not written. */
  readonly securityContext: Readonly<Record<string, string>>
  /** A network of the program's own, and the names that lead to the emulator in it. Absent: the caller's network. */
  readonly network?: NetworkOptions & { readonly hostNames: readonly string[] }
  /** Files that stay readable inside a directory that the runner hides. */
  readonly visible?: readonly string[]
  /** Default `inherit`. */
  readonly output?: ProcessOptions['output']
  /** Signals that the caller got and the program is to have; the terminal's own reach it anyway. */
  readonly forward?: (send: (signal: NodeJS.Signals) => void) => Disposable
  readonly signal?: AbortSignal
}

/**
 * One program from start to end, as `skerry run -- COMMAND` does it: security context, device, network, exit code.
 * Rejects as ConfidentialRunner.start and createNetwork do.
 */
export async function runConfidential(options: RunConfidentialOptions): Promise<ProcessExit> {
  const { runner, command, cwd, guest, deviceGeneration, securityContext, network: wanted, signal } = options
  const folder = makeStateFolder()
  let network: GroupNetwork | undefined
  try {
    const securityContextDir = writeSecurityContext(folder, securityContext)
    if (wanted !== undefined) {
      network = await runner.createNetwork(wanted)
      network.setHostNames(wanted.hostNames)
    }
    // From before the program runs: what comes meanwhile is its own as soon as it does.
    const early: NodeJS.Signals[] = []
    let send: (name: NodeJS.Signals) => void = (name) => early.push(name)
    using _forwarding = options.forward?.((name) => send(name))
    const started = await runner.start({
      command,
      env: { ...options.env, [SECURITY_CONTEXT_DIR_VARIABLE]: securityContextDir },
      guest,
      securityContextDir,
      output: options.output ?? 'inherit',
      ...(cwd !== undefined && { cwd }),
      ...(options.visible !== undefined && { visible: options.visible }),
      ...(deviceGeneration !== undefined && { deviceGeneration }),
      ...(network !== undefined && { network }),
      ...(signal !== undefined && { signal }),
    })
    send = (name) => started.kill(name)
    for (const name of early) send(name)
    return await started.exit
  } finally {
    await network?.[Symbol.asyncDispose]()
    removeStateFolder(folder)
  }
}
