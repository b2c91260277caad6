import { closeSync, fstatSync, ftruncateSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Clock } from './clock.ts'

/**
 * The journal: one JSON line for each decision a service takes, with its reasons. An HTTP answer stays as terse as
 * Azure's; what a person needs stands here. Never holds key material, tokens or secrets: identifiers, claims and
 * fingerprints only.
 */
export interface Journal {
  write(entry: JournalEntry): JournalRecord
  /** Newest last. */
  records(): readonly JournalRecord[]
  /** The file it is appended to, if any. */
  readonly file: string | undefined
  close(): void
}

export interface JournalEntry {
  /** Who decided: `maa`, `keyvault`, `managedhsm`, `entra`, `imds`, `kds`, `psp`, `arm`, `aci`, `functions`, `proxy`. */
  readonly service: string
  /** What was asked, in the field's words: `attest`, `release`, `token`, `createKey`, `startContainerGroup` … */
  readonly operation: string
  /** A request without any token, answered with a challenge, is not `denied`: nothing was decided about it. */
  readonly outcome: 'allowed' | 'denied' | 'failed' | 'done'
  /** What it was about: a key id, a container group, a principal. */
  readonly subject?: string
  /** One sentence for a person. */
  readonly summary: string
  /** Every condition that was looked at, met or not, in order. */
  readonly conditions?: readonly JournalCondition[]
  /** What a person would do about a refusal. */
  readonly action?: string
  /** What was answered, where there was an HTTP answer. */
  readonly answer?: { readonly status: number; readonly code?: string; readonly requestId?: string }
  /** Anything else worth knowing, small and free of secrets. */
  readonly details?: Readonly<Record<string, unknown>>
}

export interface JournalCondition {
  /** The claim, field or check: `x-ms-sevsnpvm-hostdata`, `report.signature`, `token.exp`. */
  readonly name: string
  readonly wanted: unknown
  readonly found: unknown
  readonly met: boolean
  /** What a person would do about this one. */
  readonly hint?: string
}

export interface JournalRecord extends JournalEntry {
  readonly seq: number
  /** ISO 8601, from the emulator's clock. */
  readonly time: string
}

/** How many records are kept in memory; the file has all of them. */
const KEPT = 10_000

/** What a record takes over of a text, a list or an object that somebody else made: a decision is small, whatever was sent. */
const LONGEST_TEXT = 8_192
const MOST_MEMBERS = 256
const DEEPEST = 8

/** Opens a journal; with `file`, every record is also appended to it (mode 0600). */
export function openJournal(clock: Pick<Clock, 'now'>, file?: string): Journal {
  if (file !== undefined) mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const fd = file === undefined ? undefined : openSync(file, 'a+', 0o600)
  if (fd !== undefined) endLine(fd)
  const kept: JournalRecord[] = []
  let seq = 0
  return {
    file,
    write(entry) {
      seq += 1
      const record: JournalRecord = {
        seq,
        time: new Date(clock.now()).toISOString(),
        ...(clipped(entry) as JournalEntry),
      }
      kept.push(record)
      if (kept.length > KEPT) kept.shift()
      if (fd !== undefined) writeSync(fd, `${JSON.stringify(record)}\n`)
      return record
    },
    records: () => kept,
    close: () => {
      if (fd !== undefined) closeSync(fd)
    },
  }
}

/** Longer than any record. */
const LONGEST_LINE = 4 * 1024 * 1024

/**
 * A process that was killed may have left half a record, which goes. What else stands at the end without a line feed gets
 * one: what comes now stands on lines of its own.
 */
function endLine(fd: number): void {
  const { size } = fstatSync(fd)
  const end = Buffer.alloc(Math.min(size, LONGEST_LINE))
  readSync(fd, end, 0, end.length, size - end.length)
  const line = end.subarray(end.lastIndexOf('\n') + 1)
  if (line.length === 0) return
  if (line.toString().startsWith('{"seq":') && !isJson(line.toString())) ftruncateSync(fd, size - line.length)
  else writeSync(fd, '\n')
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function clipped(value: unknown, depth = 0): unknown {
  if (typeof value === 'string' && value.length > LONGEST_TEXT) {
    return `${value.slice(0, LONGEST_TEXT)} (and ${value.length - LONGEST_TEXT} more characters)`
  }
  if (typeof value !== 'object' || value === null) return value
  if (depth === DEEPEST) return '(nested deeper)'
  if (Array.isArray(value)) return value.slice(0, MOST_MEMBERS).map((item) => clipped(item, depth + 1))
  const members = Object.entries(value).slice(0, MOST_MEMBERS)
  return Object.fromEntries(members.map(([name, item]) => [clipped(name) as string, clipped(item, depth + 1)]))
}
