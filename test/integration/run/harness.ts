import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { TestContext } from 'vitest'
import type { ConfidentialRunner, ProcessOptions } from '../../../emulator/src/run/index.ts'
import { guestDouble } from './guest-double.ts'
import { HOST_SCRIPT, type Missing } from './programs.ts'

/** The path, or the end of this test with the reason printed. */
export function need(ctx: TestContext, program: string | Missing): string {
  return typeof program === 'string' ? program : ctx.skip(program.missing)
}

/** What these programs need of an environment. */
export const env = { PATH: '/usr/local/bin:/usr/bin:/bin' }

/** Runs a program to its end. */
export async function run(runner: ConfidentialRunner, command: readonly string[], more: Partial<ProcessOptions> = {}) {
  const lines: string[] = []
  const process = await runner.start({
    command: command as [string, ...string[]],
    env,
    guest: guestDouble(),
    output: (line) => lines.push(line),
    ...more,
  })
  return { ...(await process.exit), lines }
}

export interface Host {
  readonly child: ChildProcess
  readonly ended: Promise<unknown[]>
  line(): Promise<string | undefined>
}

/** Another process that plays the emulator (host.ts). `folder`: where it keeps what it would leave behind. */
export function startHost(
  folder: string,
  words: readonly string[],
  identity: { uid?: number; gid?: number } = {},
): Host {
  const child = spawn(process.execPath, ['--conditions=skerry-source', HOST_SCRIPT, ...words], {
    stdio: ['pipe', 'pipe', 'inherit'],
    // What a killed one leaves behind lies in the programs' folder and goes with it.
    ...(identity.uid === undefined && { env: { ...process.env, TMPDIR: folder } }),
    ...identity,
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const ended = once(child, 'close')
  return { child, ended, line: async () => (await lines.next()).value }
}
