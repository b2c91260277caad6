import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { connectInstance } from '../../control/client.ts'
import { findInstance, InstanceNotFoundError } from '../../control/instance.ts'
import { defaultDataDirectory } from '../../core/directories.ts'
import type { JournalRecord } from '../../core/index.ts'
import { denialTable } from '../denial-table.ts'
import { UsageError } from '../usage-error.ts'

interface ExplainFlags {
  readonly journal?: string
  readonly data?: string
}

export function describeExplain(program: Command): void {
  program
    .command('explain')
    .description('say why the last request was refused: claim, wanted, found, what to do')
    .option('--journal <file>', 'read this journal instead of a running instance')
    .option('--data <dir>', 'the instance, or what is left of it, in this data directory')
    .addHelpText(
      'after',
      `
Examples:
  skerry explain                                 after a 403 from the vault
  skerry explain --journal .skerry/journal.jsonl the journal of a run that is over`,
    )
    .action(async (flags: ExplainFlags) => {
      process.stdout.write(`${lastDenial(await journalOf(flags))}\n`)
    })
}

/** The last refusal as a table, or a sentence that there was none. */
export function lastDenial(records: readonly JournalRecord[]): string {
  const denial = records.findLast(({ outcome }) => outcome === 'denied')
  if (denial !== undefined) return denialTable(denial)
  return `Nothing was refused: the journal holds ${records.length} decision${records.length === 1 ? '' : 's'}.`
}

async function journalOf(flags: ExplainFlags): Promise<readonly JournalRecord[]> {
  if (flags.journal !== undefined) return readJournal('--journal', flags.journal)
  const data = flags.data && resolve(flags.data)
  try {
    using client = connectInstance(findInstance(data))
    return await client.journal()
  } catch (error) {
    // Nothing runs: what the last run wrote says as much.
    const file = join(data ?? defaultDataDirectory(), 'journal.jsonl')
    if (error instanceof InstanceNotFoundError && existsSync(file)) return readJournal('--data', file)
    throw error
  }
}

/** @throws UsageError naming the flag */
export function readJournal(flag: string, file: string): JournalRecord[] {
  let content: string
  try {
    content = readFileSync(file, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    throw new UsageError(`${flag} ${file}: ${code === 'ENOENT' ? 'there is no such file' : `cannot be read (${code})`}`)
  }
  const lines = content.split('\n')
  return lines.flatMap((line, index) => {
    if (line === '') return []
    try {
      return [JSON.parse(line) as JournalRecord]
    } catch {
      // A kill may cut the last line short; anywhere else it is not a journal.
      if (index === lines.length - 1) return []
      throw new UsageError(`${flag} ${file}: line ${index + 1} is not a journal record`)
    }
  })
}
