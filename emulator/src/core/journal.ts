import { closeSync, fstatSync, ftruncateSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Clock } from './clock.ts'

/**
 * The journal: one JSON line for each decision a service takes, with its reasons. An HTTP answer stays as terse as
 * Azure's; what a person needs stands here. Never holds key material, tokens or secrets: identifiers, claims and
 * fingerprints only.
 */
export interface Journal {
  write(entry: JournalEntry): void
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

/** How many records are kept in memory, and how many characters of them; the file has all. */
const KEPT = 10_000
const KEPT_TEXT = 16 * 1024 * 1024

/** What a record takes over of a text, a list or an object that somebody else made: a decision is small, whatever was sent. */
const LONGEST_TEXT = 8_192
const MOST_MEMBERS = 256
/** Of a whole record: values of any kind, and the characters of those texts that are no short names. */
const MOST_VALUES = 4_096
const MOST_TEXT = 65_536
const SHORT_NAME = 64
const DEEPEST = 8

/** Opens a journal; with `file`, every record is also appended to it (mode 0600). */
export function openJournal(clock: Pick<Clock, 'now'>, file?: string): Journal {
  if (file !== undefined) mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const fd = file === undefined ? undefined : openSync(file, 'a+', 0o600)
  if (fd !== undefined) endLine(fd)
  const kept: KeptRecord[] = []
  let text = 0
  let seq = 0
  return {
    file,
    write(entry) {
      seq += 1
      const time = new Date(clock.now()).toISOString()
      const line = JSON.stringify({ seq, time, ...bounded(entry) })
      // Before the answer goes out, so that a decision that somebody knows of is on record whatever becomes of this process.
      if (fd !== undefined) writeSync(fd, `${line}\n`)
      kept.push(keptRecord(line))
      text += line.length
      while (kept.length > KEPT || text > KEPT_TEXT) text -= kept.shift()!.length
    },
    records: () => kept.map(({ record }) => record()),
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

interface KeptRecord {
  /** Of its line. */
  readonly length: number
  readonly record: () => JournalRecord
}

/**
 * A record as its line has it, read when somebody wants it. Not the entry itself: a part of a text keeps the whole of it in
 * memory, and whoever made the entry may change it.
 */
function keptRecord(line: string): KeptRecord {
  let read: string | JournalRecord = line
  const record = () => {
    if (typeof read === 'string') read = JSON.parse(read) as JournalRecord
    return read
  }
  return { length: line.length, record }
}

/** What the record may still have. */
interface Room {
  values: number
  text: number
}

const wholeRoom = (): Room => ({ values: MOST_VALUES, text: MOST_TEXT })

/** Nearly every entry is small, and is written as it is. */
function bounded(entry: JournalEntry): JournalEntry {
  return fits(entry, wholeRoom()) ? entry : (clipped(entry, wholeRoom()) as JournalEntry)
}

/** Whether `clipped` would leave all of it. */
function fits(value: unknown, room: Room, depth = 0): boolean {
  room.values -= 1
  if (typeof value === 'string') return fitsText(value, room)
  if (typeof value !== 'object' || value === null) return true
  if (depth === DEEPEST) return false
  const names = Object.keys(value)
  if (names.length > MOST_MEMBERS) return false
  const named = !Array.isArray(value)
  for (const name of names) {
    if (room.values <= 0 || (named && !fitsText(name, room))) return false
    if (!fits((value as Record<string, unknown>)[name], room, depth + 1)) return false
  }
  return true
}

function fitsText({ length }: string, room: Room): boolean {
  if (length <= SHORT_NAME) return true
  room.text -= length
  return length <= LONGEST_TEXT && room.text >= 0
}

function clipped(value: unknown, room: Room, depth = 0): unknown {
  room.values -= 1
  if (typeof value === 'string') return clippedText(value, room)
  if (typeof value !== 'object' || value === null) return value
  if (depth === DEEPEST) return '(nested deeper)'
  if (Array.isArray(value)) {
    return value.slice(0, MOST_MEMBERS).flatMap((item) => (room.values > 0 ? [clipped(item, room, depth + 1)] : []))
  }
  const members = Object.entries(value).slice(0, MOST_MEMBERS)
  const kept = members.flatMap(([name, item]) =>
    room.values > 0 ? [[clippedText(name, room), clipped(item, room, depth + 1)] as const] : [],
  )
  return Object.fromEntries(kept)
}

function clippedText(text: string, room: Room): string {
  if (text.length <= SHORT_NAME) return text
  const taken = Math.min(text.length, LONGEST_TEXT, room.text)
  room.text -= taken
  return taken === text.length ? text : `${text.slice(0, taken)} (and ${text.length - taken} more characters)`
}
