import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { manualClock } from './clock.ts'
import { openJournal } from './journal.ts'

const entry = { service: 'maa', operation: 'attest', outcome: 'denied', summary: 's' } as const

it('writes one line of JSON for each decision into a file that only its user reads', () => {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-journal-'))
  try {
    const file = join(folder, 'data', 'journal.jsonl')
    const journal = openJournal(manualClock(), file)
    journal.write(entry)
    journal.write({ ...entry, summary: 'line\nfeed' })
    journal.close()
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
    expect(lines.map((line) => (JSON.parse(line) as { seq: number }).seq)).toEqual([1, 2])
    expect([statSync(file).mode & 0o777, statSync(join(folder, 'data')).mode & 0o777]).toEqual([0o600, 0o700])
  } finally {
    rmSync(folder, { recursive: true })
  }
})

it.each([
  ['half a record, which goes', '{"seq":2,"ti', ['whole', 'after', 'again']],
  ['a record without its line feed, which stays', '{"seq":2,"summary":"cut"}', ['whole', 'cut', 'after', 'again']],
])('goes on, on lines of its own, after a killed process left %s', (_what, left, summaries) => {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-journal-'))
  try {
    const file = join(folder, 'journal.jsonl')
    const write = (summary: string) => {
      const journal = openJournal(manualClock(), file)
      journal.write({ ...entry, summary })
      journal.close()
    }
    write('whole')
    appendFileSync(file, left)
    write('after')
    write('again')
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
    expect(lines.map((line) => (JSON.parse(line) as { summary: string }).summary)).toEqual(summaries)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

it('takes over a bounded part of what others sent: a long text, a long list, a deep object', () => {
  let deep: unknown = 1
  for (let level = 0; level < 100_000; level++) deep = { deep }
  const journal = openJournal(manualClock())
  journal.write({
    ...entry,
    subject: 'x'.repeat(1_000_000),
    conditions: [{ name: 'claim', wanted: 'a', found: deep, met: false }],
    details: { list: Array.from({ length: 1_000_000 }, () => 'y'), ['k'.repeat(1_000_000)]: 1 },
  })
  const [record] = journal.records()
  expect(JSON.stringify(record).length).toBeLessThan(30_000)
  expect(record?.subject).toMatch(/^x+ \(and 991808 more characters\)$/)
})

it('takes over no more of many long texts and many values than of few', () => {
  const long = 'x'.repeat(8_000)
  const list = Array.from({ length: 256 }, () => 1)
  const conditions = Array.from({ length: 256 }, (_, at) => ({ name: `${at}`, wanted: long, found: long, met: true }))
  const details = { lists: list.map(() => list.map(() => list)) }
  const journal = openJournal(manualClock())
  journal.write({ ...entry, conditions, details })
  const [record] = journal.records()
  expect(record?.conditions?.map(({ name }) => name)).toEqual(conditions.map(({ name }) => name))
  expect(JSON.stringify(record).length).toBeLessThan(130_000)
})

it('keeps the newest records in memory, as many as a bounded space holds', () => {
  const journal = openJournal(manualClock())
  const details = Object.fromEntries(Array.from({ length: 8 }, (_, at) => [`${at}`, 'x'.repeat(8_000)]))
  for (let written = 0; written < 400; written++) journal.write({ ...entry, details })
  const records = journal.records()
  expect(records.at(-1)?.seq).toBe(400)
  expect(records.length).toBeGreaterThan(200)
  expect(JSON.stringify(records).length).toBeLessThan(17 * 1024 * 1024)
})

it('keeps a record as it was written, whatever becomes of what was passed', () => {
  const journal = openJournal(manualClock())
  const details = { claims: { level: 1 } }
  journal.write({ ...entry, details })
  details.claims.level = 2
  expect(journal.records()).toMatchObject([{ details: { claims: { level: 1 } } }])
})

it.each([
  ['the longest text', { text: 'x'.repeat(8_192) }],
  ['the longest list', { list: Array.from({ length: 256 }, () => 1) }],
  ['the deepest object', { a: { b: { c: { d: { e: { f: { g: 'eighth' } } } } } } }],
])('takes over %s as it is, and clips one step more', (_what, details) => {
  const journal = openJournal(manualClock())
  const more = JSON.parse(
    JSON.stringify(details).replace('xx"', 'xxx"').replace('[1', '[1,1').replace('"eighth"', '{"ninth":{}}'),
  )
  journal.write({ ...entry, details })
  journal.write({ ...entry, details: more })
  const [whole, clipped] = journal.records()
  expect(whole?.details).toEqual(details)
  expect(clipped?.details).not.toEqual(more)
})
