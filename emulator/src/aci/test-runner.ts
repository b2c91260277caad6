import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { ConfidentialProcess, ConfidentialRunner, ProcessOptions } from '../run/types.ts'

/*
 * For tests of container groups: real processes with the environment that a container gets, without a device and
 * without namespaces. What they were started with is kept, to be looked at.
 */

export interface TestRunner extends ConfidentialRunner {
  readonly started: readonly ProcessOptions[]
  /** Processes that have not ended. */
  readonly alive: ReadonlySet<number>
  /** The host names that a group's network was given last. */
  readonly hostNames: readonly string[]
  /** Lets no program start until the function that it returns is called. */
  pause(): () => void
}

export function createTestRunner(options: { readonly networkNamespace?: boolean } = {}): TestRunner {
  const started: ProcessOptions[] = []
  const alive = new Set<number>()
  let hostNames: readonly string[] = []
  let gate: Promise<void> = Promise.resolve()
  return {
    started,
    alive,
    get hostNames() {
      return hostNames
    },
    pause() {
      const { promise, resolve } = Promise.withResolvers<void>()
      gate = promise
      return resolve
    },
    capabilities: async () => ({
      device: 'none',
      networkNamespace: options.networkNamespace ?? false,
      missing: [],
      notices: [],
    }),
    createNetwork: async () => ({
      setHostNames: (names) => {
        hostNames = names
      },
      [Symbol.asyncDispose]: async () => undefined,
    }),
    async start(process) {
      started.push(process)
      await gate
      return await startPlainly(process, alive)
    },
  }
}

async function startPlainly(options: ProcessOptions, alive: Set<number>): Promise<ConfidentialProcess> {
  const { command, env, output } = options
  const [program, ...args] = command
  const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal }))
  })
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve)
    child.once('error', reject)
  })
  const pid = child.pid ?? 0
  alive.add(pid)
  for (const stream of ['stdout', 'stderr'] as const) {
    createInterface({ input: child[stream] }).on('line', (line) => {
      if (output !== 'inherit') output(line, stream)
    })
  }
  return {
    pid,
    exit: ended.finally(() => alive.delete(pid)),
    kill: (signal) => void child.kill(signal),
  }
}
