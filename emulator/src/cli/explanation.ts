import type { JournalRecord } from '../core/index.ts'
import { denialTable } from './denial-table.ts'

/** How many of the refusals before the last one are named. */
const NAMED = 5

/**
 * The last refusal as a table, with the ones before it named; or a sentence that there was none.
 * @param seq shows this record instead
 */
export function explanation(records: readonly JournalRecord[], seq?: number): string {
  const chosen =
    seq === undefined
      ? records.findLast(({ outcome }) => outcome === 'denied')
      : records.find((record) => record.seq === seq)
  if (chosen === undefined) return nothingRefused(records)
  const before = records.filter((record) => record.outcome === 'denied' && record.seq < chosen.seq)
  if (seq !== undefined || before.length === 0) return denialTable(chosen)
  const named = before.slice(-NAMED).reverse().map(briefly)
  return [denialTable(chosen), '', 'Refused before it (skerry explain --record NUMBER):', ...named].join('\n')
}

function nothingRefused(records: readonly JournalRecord[]): string {
  const decisions = records.length === 1 ? '1 decision' : `${records.length === 0 ? 'no' : records.length} decisions`
  const said = `Nothing was refused: the journal holds ${decisions}.`
  const failure = records.findLast(({ outcome }) => outcome === 'failed')
  return failure === undefined
    ? said
    : `${said}\nSomething failed, though:\n${briefly(failure)}\n        ${failure.summary}`
}

function briefly({ seq, time, service, operation, subject, answer }: JournalRecord): string {
  const at = time.slice(11, 19)
  return `  ${String(seq).padStart(4)}  ${at}  ${service} ${operation}${subject ? ` of ${subject}` : ''}${answer ? `: ${answer.status}` : ''}`
}
