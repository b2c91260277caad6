import { resolve } from 'node:path'
import type { Command } from 'commander'
import { connectInstance } from '../../control/client.ts'
import { findInstance } from '../../control/instance.ts'
import type { ClockAnswer } from '../../control/instance-routes.ts'
import { parseDurationArgument } from '../arguments.ts'
import { explainRefusal } from '../flag-errors.ts'

interface ClockFlags {
  readonly data?: string
  readonly json?: true
}

export function describeClock(program: Command): void {
  const clock = program.command('clock').description('show the clock of the running instance, or move it forward')
  const common = (command: Command) =>
    command
      .option('--data <dir>', 'the instance of this data directory, when several run')
      .option('--json', 'print one line of JSON: {"time","offsetMs"}')
  common(clock.command('show', { isDefault: true }).description('what time it is there')).action(
    async (flags: ClockFlags) => {
      using client = connect(flags)
      print(await client.clock(), flags)
    },
  )
  common(clock.command('advance').description('move it forward'))
    .argument('<duration>', 'such as 90d, 12h, 30m, 45s, or ISO 8601: P90D, P1Y, PT12H', parseDurationArgument)
    .option('--force', 'although container groups or programs of skerry run depend on it')
    .addHelpText(
      'after',
      `
Examples:
  skerry clock advance 90d           what was deleted is purged, keys expire and rotate, tokens end
  skerry clock advance P1Y           by the calendar
  skerry clock                       what time it is there

Everything of the instance moves together, and what comes due on the way happens in its order, at its own time. With
skerry up --data the instance stays ahead after a restart. There is no way back.

The clocks of your programs do not move, nor do the dates of TLS certificates. A program finds the tokens that it gets
afterwards issued in its future: one that looks at their dates refuses them. One that has kept a token from before takes
it for valid when it no longer is, until it makes a new credential. So an instance in which container groups or programs
of skerry run run refuses to move, unless it is told to with --force.`,
    )
    .action(async (duration: string, flags: ClockFlags & { readonly force?: true }) => {
      using client = connect(flags)
      print(
        await client.advanceClock(duration, { force: flags.force === true }).catch((error: unknown) => {
          throw explainRefusal(error, '--force moves it all the same')
        }),
        flags,
      )
    })
}

function connect({ data }: ClockFlags) {
  return connectInstance(findInstance(data && resolve(data)))
}

function print(answer: ClockAnswer, { json }: ClockFlags): void {
  process.stdout.write(json ? `${JSON.stringify(answer)}\n` : `${answer.time}  ${ahead(answer.offsetMs)}\n`)
}

/** By the largest unit that says it whole enough. */
function ahead(ms: number): string {
  if (ms < 1000) return "(the machine's time)"
  const units = [
    ['day', 86_400_000],
    ['hour', 3_600_000],
    ['minute', 60_000],
    ['second', 1000],
  ] as const
  const parts: string[] = []
  // A shift takes a moment itself, which is not worth a word.
  let rest = Math.round(ms / 1000) * 1000
  for (const [name, size] of units) {
    const count = Math.floor(rest / size)
    rest -= count * size
    if (count > 0) parts.push(`${count} ${name}${count === 1 ? '' : 's'}`)
  }
  return `(${parts.join(', ')} ahead of the machine's)`
}
