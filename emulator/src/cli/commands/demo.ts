import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Command, Option } from 'commander'
import type { DemoOptions } from '../demo/index.ts'
import { appError, dataError } from '../flag-errors.ts'

/** The checkout: its root is the app, and its examples are what a run deploys unless told otherwise. */
const ROOT = fileURLToPath(new URL('../../../../', import.meta.url))
const EXAMPLE = join(ROOT, 'examples', 'skr-aci')

/** Also in `demo/tamper.ts`, which is loaded when the command runs. */
const TAMPERS = ['policy', 'debug', 'tcb'] as const satisfies readonly DemoOptions['tamper'][]

interface DemoFlags {
  readonly template: string
  readonly config: string
  readonly tamper?: DemoOptions['tamper']
  readonly data: string
  readonly app: string
}

export function describeDemo(program: Command, exit: (code: number) => void): void {
  program
    .command('demo')
    .description('the whole flow once: deploy, attest, release, prove, rotate, tear down')
    .option('--template <file>', 'an ARM template with a confidential container group', join(EXAMPLE, 'template.json'))
    .option('--config <file>', 'an importkeyconfig.json', join(EXAMPLE, 'importkeyconfig.json'))
    .addOption(new Option('--tamper <what>', 'have the host cheat, and see how it is caught').choices(TAMPERS))
    .option('--data <dir>', 'where the run leaves its journal', '.skerry')
    .option('--app <dir>', "the Functions app's root", ROOT)
    .addHelpText(
      'after',
      `
Examples:
  skerry demo                                    the example of this repository
  skerry demo --template t.json --config k.json  your own; what they name exists in the emulator for that run
  skerry demo --tamper policy                    one byte of the CCE policy changes after the key was made

Exit codes: 0 the key arrived; 3, 4, 5 the tampering (policy, debug, tcb) was caught as it must be; 1 anything else.`,
    )
    .action(async (flags: DemoFlags) => {
      const { runDemo } = await import('../demo/index.ts')
      const data = resolve(flags.data)
      try {
        exit(await runDemo({ ...flags, data, app: resolve(flags.app) }))
      } catch (error) {
        throw appError(flags.app, dataError(flags.data, data, error))
      }
    })
}
