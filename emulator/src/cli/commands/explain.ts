import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import { connectInstance } from '../../control/client.ts'
import { findInstance, NoInstanceError } from '../../control/instance.ts'
import type { JournalRecord } from '../../core/index.ts'
import { explanation } from '../explanation.ts'
import { UsageError, unreadable } from '../usage-error.ts'

interface ExplainFlags {
  readonly journal?: string
  readonly data?: string
  readonly record?: number
}

/** Where `skerry demo` leaves its journal unless told otherwise. */
const DEMO_DATA = '.skerry'
const JOURNAL = 'journal.jsonl'

export function describeExplain(program: Command): void {
  program
    .command('explain')
    .description('say why the last request was refused: claim, wanted, found, what to do')
    .option('--journal <file>', 'read this journal instead of a running instance')
    .option('--data <dir>', 'the instance, or what is left of it, in this directory')
    .option('--record <number>', 'an earlier refusal, by its number in the journal', parseRecordNumber)
    .addHelpText(
      'after',
      `
Examples:
  skerry explain                                 after a 403 from the vault
  skerry explain --journal .skerry/journal.jsonl the journal of a run that is over

Where no instance is running, the journal of the last skerry demo in this directory is read. A request without a token,
which is how every client of a vault begins, is no refusal: it is answered with where to get one.`,
    )
    .action(async (flags: ExplainFlags) => {
      const { records, origin } = await journalOf(flags)
      if (origin !== undefined) process.stdout.write(`${origin}\n\n`)
      if (flags.record !== undefined && !records.some(({ seq }) => seq === flags.record)) {
        throw new UsageError(`--record ${flags.record}: the journal has no such record`)
      }
      process.stdout.write(`${explanation(records, flags.record)}\n`)
    })
}

interface Source {
  readonly records: readonly JournalRecord[]
  /** Said when the journal is another than the one of a running instance. */
  readonly origin?: string
}

async function journalOf(flags: ExplainFlags): Promise<Source> {
  if (flags.journal !== undefined) return { records: readJournal('--journal', flags.journal) }
  const data = flags.data && resolve(flags.data)
  try {
    using client = connectInstance(findInstance(data))
    return { records: await client.journal() }
  } catch (error) {
    // Nothing runs: what the last run wrote says as much.
    const file = join(data ?? DEMO_DATA, JOURNAL)
    if (!(error instanceof NoInstanceError)) throw error
    if (!existsSync(file)) throw new NoInstanceError(`${error.message}, or name a journal with --journal`)
    return { records: readJournal('--data', file), origin: `No instance is running; this is from ${file}.` }
  }
}

/** @throws UsageError naming the flag */
export function readJournal(flag: string, file: string): JournalRecord[] {
  let content: string
  try {
    content = readFileSync(file, 'utf8')
  } catch (error) {
    throw unreadable(flag, file, error)
  }
  const lines = content.split('\n')
  return lines.flatMap((line, index) => {
    if (line === '') return []
    const record = parseRecord(line)
    if (record !== undefined) return [record]
    // A kill may cut the last line short; anywhere else it is not a journal.
    if (index === lines.length - 1 && index > 0) return []
    throw new UsageError(`${flag} ${file}: is not a journal (line ${index + 1} is not a record)`)
  })
}

function parseRecord(line: string): JournalRecord | undefined {
  try {
    const value = JSON.parse(line) as Partial<JournalRecord> | null
    const isRecord = typeof value?.seq === 'number' && typeof value.service === 'string' && 'outcome' in value
    return isRecord ? (value as JournalRecord) : undefined
  } catch {
    return undefined
  }
}

function parseRecordNumber(text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new InvalidArgumentError('a record has a number from 1 on.')
  return Number(text)
}
