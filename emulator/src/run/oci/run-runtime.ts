import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SECURITY_CONTEXT_DIR_VARIABLE } from '@skerry/guest/wire'
import { RunnerError } from '../errors.ts'
import { writeSecurityContext } from '../security-context.ts'
import { makeStateFolder, removeStateFolder } from '../state-folder.ts'
import type { ProcessExit } from '../types.ts'
import { type ServeContainersOptions, serveContainers } from './serve-containers.ts'

export interface RunRuntimeOptions extends ServeContainersOptions {
  /** The container runtime, as `crun run -b BUNDLE ID`; absent: containers are started by somebody else, until `until`. */
  readonly command?: readonly [string, ...string[]]
  readonly until?: Promise<unknown>
  /** The certificate to trust, of which a copy is made that containers of any user may read. */
  readonly caFile: string
  /** The runtime's environment; UVM_SECURITY_CONTEXT_DIR and SKERRY_CA_FILE are added, for the runtime to mount. */
  readonly env: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly securityContext: Readonly<Record<string, string>>
  readonly onReady?: (ready: { readonly securityContextDir: string; readonly caFile: string }) => void
  readonly forward?: (send: (signal: NodeJS.Signals) => void) => Disposable
}

/**
 * One container runtime from start to end, or the containers of others: as `skerry run --seccomp-profile FILE` does it. The
 * runtime itself is not confined: it makes its own namespaces, and there can be one seccomp listener in a tree.
 */
export async function runRuntime(options: RunRuntimeOptions): Promise<ProcessExit> {
  const { command, until, env, cwd, securityContext, onReady, forward } = options
  const folder = makeStateFolder()
  try {
    await using _agent = await serveContainers(options)
    const securityContextDir = writeSecurityContext(folder, securityContext)
    const caFile = join(folder, 'ca.pem')
    writeFileSync(caFile, readFileSync(options.caFile), { mode: 0o644 })
    onReady?.({ securityContextDir, caFile })
    if (command === undefined) {
      await until
      return { code: 0, signal: null }
    }
    const [program, ...args] = command
    const child = spawn(program, args, {
      stdio: 'inherit',
      env: { ...env, [SECURITY_CONTEXT_DIR_VARIABLE]: securityContextDir, SKERRY_CA_FILE: caFile },
      ...(cwd !== undefined && { cwd }),
    })
    using _forwarding = forward?.((signal) => void child.kill(signal))
    return await new Promise<ProcessExit>((resolve, reject) => {
      child.on('error', (error) => reject(startError(program, error)))
      child.on('close', (code, signal) => resolve({ code, signal }))
    })
  } finally {
    removeStateFolder(folder)
  }
}

function startError(program: string, error: NodeJS.ErrnoException): RunnerError {
  if (error.code === 'ENOENT') return new RunnerError('ERR_COMMAND_NOT_FOUND', `${program}: command not found`)
  return new RunnerError('ERR_COMMAND_NOT_EXECUTABLE', `${program}: cannot be executed (${error.code})`)
}
