import { resolve } from 'node:path'
import type { Command } from 'commander'
import { connectInstance } from '../../control/client.ts'
import { findInstance } from '../../control/instance.ts'
import { explainRefusal } from '../flag-errors.ts'

interface ApproveFlags {
  readonly data?: string
  readonly user?: string
  readonly decline?: true
}

export function describeApprove(program: Command): void {
  program
    .command('approve')
    .description('sign in at a device that shows a code (az login --use-device-code)')
    .argument('<code>', 'the code that the device shows')
    .option('--user <name>', 'who signs in (default: the only user of the seed)')
    .option('--decline', 'say no')
    .option('--data <dir>', 'the instance of this data directory, when several run')
    .addHelpText(
      'after',
      `
Examples:
  skerry approve ABCD23456                            as the only user
  skerry approve ABCD23456 --user ada@skerry.example
  skerry approve ABCD23456 --decline

Users come from a seed file. No password is asked for: whoever may use this command administers the instance. A person
can do the same at the page that the device names.`,
    )
    .action(async (code: string, { data, user, decline }: ApproveFlags) => {
      using client = connectInstance(findInstance(data && resolve(data)))
      const request = { code, ...(user !== undefined && { user }), ...(decline !== undefined && { decline }) }
      const answer = await client.answerDevice(request).catch((error: unknown) => {
        throw explainRefusal(error, '')
      })
      const what = answer.user === undefined ? 'was told no' : `goes on as ${answer.user}`
      process.stdout.write(`${answer.clientName} ${what}, for ${answer.scope}\n`)
    })
}
