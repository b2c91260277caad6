import { Command, CommanderError } from 'commander'
import { describeApprove } from './commands/approve.ts'
import { describeClock } from './commands/clock.ts'
import { describeDemo } from './commands/demo.ts'
import { describeEnv } from './commands/env.ts'
import { describeExplain } from './commands/explain.ts'
import { describeHost } from './commands/host.ts'
import { describeRun } from './commands/run.ts'
import { describeState } from './commands/state.ts'
import { describeUp } from './commands/up.ts'

/** Exit codes: 2 for what was typed wrong, 1 for what went wrong. */
const USAGE = 2
const FAILURE = 1

/**
 * Runs one `skerry` command. Every failure is one line on standard error. What a command needs is loaded when it runs, so
 * that `--help` and `env` answer at once.
 * @param args without the program's own name
 * @returns the exit code
 */
export async function main(args: readonly string[]): Promise<number> {
  let code = 0
  const exit = (value: number) => {
    code = value
  }
  const program = describe(exit)
  process.stdout.on('error', ignoreClosedPipe)
  try {
    await program.parseAsync([...args], { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE
    process.stderr.write(`skerry: ${error instanceof Error ? error.message : String(error)}\n`)
    return exitCodeOf(error)
  }
}

function describe(exit: (code: number) => void): Command {
  const program = new Command('skerry')
    .description('Azure and the AMD processor, for a machine that has neither: secure key release on this computer.')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ outputError: (text, write) => write(oneLine(text, '')) })
    .enablePositionalOptions()
    .exitOverride()
    .addHelpText(
      'after',
      `
Start here:
  skerry demo                        watch a key reach an attested container, and nowhere else
  skerry demo --tamper policy        watch the vault refuse it, and read why

Point your own client at it:
  skerry up &                        the emulator, on loopback
  eval "$(skerry env)"               proxy, certificate authority and credentials for this shell
  curl https://skerry.vault.azure.net/keys?api-version=7.4

Run your own program as if in a confidential container:
  skerry run -- ./my-sidecar         it finds /dev/sev-guest; its reports verify
  skerry explain                     why the last key was withheld`,
    )
  const commands = [
    describeUp,
    describeEnv,
    describeRun,
    describeHost,
    describeExplain,
    describeState,
    describeClock,
    describeApprove,
    describeDemo,
  ]
  for (const add of commands) add(program, exit)
  for (const command of program.commands) failInOneLine(command, '')
  return program
}

function failInOneLine(command: Command, before: string): void {
  const name = `${before}${command.name()} `
  command.exitOverride().configureOutput({ outputError: (text, write) => write(oneLine(text, name)) })
  for (const below of command.commands) failInOneLine(below, name)
}

/** What the parser has to say, in one line like every other failure. */
function oneLine(text: string, command: string): string {
  const said = text
    .trim()
    .replace(/^error: /, '')
    .replaceAll(/\s*\n\s*/g, ' ')
    .replace(/\.$/, '')
  return `skerry: ${said}; skerry ${command}--help explains\n`
}

/** `skerry explain | head`: who reads has had enough, and that is no failure. */
function ignoreClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error
}

/** A program that cannot be started ends as it would under a shell (POSIX, 2.8.2). */
const BY_CODE: Readonly<Record<string, number>> = {
  ERR_USAGE: USAGE,
  ERR_COMMAND_NOT_EXECUTABLE: 126,
  ERR_COMMAND_NOT_FOUND: 127,
}

function exitCodeOf(error: unknown): number {
  const { code } = error as { code?: unknown }
  return (typeof code === 'string' ? BY_CODE[code] : undefined) ?? FAILURE
}
