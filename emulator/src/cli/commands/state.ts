import { resolve } from 'node:path'
import type { Command } from 'commander'
import { connectInstance } from '../../control/client.ts'
import { findInstance, type InstanceInfo, NoInstanceError } from '../../control/instance.ts'
import { cacheDirectory } from '../../core/directories.ts'
import type { StateDocument } from '../../state/index.ts'
import { dataError, explainRefusal, stateFileError } from '../flag-errors.ts'
import { UsageError } from '../usage-error.ts'

interface StateFlags {
  readonly data?: string
}

export function describeState(program: Command): void {
  const state = program
    .command('state')
    .description('the whole state of an instance as one file: tenant, vaults, keys, roles, groups, clock')
    .addHelpText('after', NOTES)
  const common = (command: Command) =>
    command
      .argument('<file>', 'JSON; gzip when its name ends in .gz')
      .option('--data <dir>', 'the instance of this data directory, or the directory itself when none runs on it')
      .addHelpText('after', NOTES)
  common(state.command('export').description('write the state into a file (mode 0600)')).action(exportTo)
  common(
    state.command('import').description('replace the state by the one of a file, whole or not at all; skerry env anew'),
  ).action(importFrom)
}

const NOTES = `
Examples:
  skerry state export fixture.json.gz      from the instance that runs
  skerry up --state fixture.json.gz        a new instance that starts with it, in memory
  skerry state import fixture.json.gz      replaces the state of the instance that runs
  skerry state import f.json --data ./azure    a directory that no instance has now

The file holds every private key and the administrator's secret in the clear: who can read it can sign as this instance
and read its keys. Make it a fixture only with keys that protect nothing.
Not in it: the certificate authority of TLS (clients keep the one they were told to trust), the journal, the settings of
skerry up, and the task hub of skerry host. An instance in which container groups or programs run refuses an import.`

async function exportTo(file: string, flags: StateFlags): Promise<void> {
  const { writeStateFile } = await import('../../state/write.ts')
  const state = await currentState(flags)
  try {
    writeStateFile(resolve(file), state)
  } catch (error) {
    throw new UsageError(`${file}: cannot be written (${(error as NodeJS.ErrnoException).code})`)
  }
  process.stderr.write(`skerry: ${file} holds private keys and secrets in the clear\n`)
}

async function currentState({ data }: StateFlags): Promise<StateDocument> {
  const running = runningOn(data)
  if (running !== undefined) {
    using client = connectInstance(running)
    return await client.exportState()
  }
  const { exportDirectory } = await import('../../state/offline.ts')
  const directory = resolve(data!)
  return await exportDirectory(directory, cacheDirectory()).catch((error: unknown) => {
    throw dataError(data!, directory, error)
  })
}

async function importFrom(file: string, { data }: StateFlags): Promise<void> {
  const running = runningOn(data)
  // Read here, too: what is wrong with it is said before anything is asked of the instance.
  const { readStateFile } = await import('../../state/parse.ts')
  const state = orExplain(file, () => readStateFile(file))
  if (running !== undefined) {
    using client = connectInstance(running)
    await client.importState(resolve(file)).catch((error: unknown) => {
      throw explainRefusal(error, 'end them first')
    })
  } else {
    const { importState } = await import('../../state/import.ts')
    const directory = resolve(data!)
    await importState(directory, state).catch((error: unknown) => {
      throw dataError(data!, directory, error)
    })
  }
}

/** The instance that is meant; undefined where `--data` names a directory that none has. @throws InstanceNotFoundError */
function runningOn(data: string | undefined): InstanceInfo | undefined {
  try {
    return findInstance(data && resolve(data))
  } catch (error) {
    if (data !== undefined && error instanceof NoInstanceError) return undefined
    throw error
  }
}

function orExplain<T>(file: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw stateFileError('', file, error)
  }
}
