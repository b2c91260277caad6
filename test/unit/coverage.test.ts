import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readRows } from '../support/coverage-rows.ts'
import { ROOT } from '../support/skerry.ts'
import { expectTest, readNamedTest } from '../support/test-titles.ts'

// The table of what is covered against the code: a test that was renamed away, or an operation without a row, fails here.

const EMULATOR = join(ROOT, 'emulator')
const rows = readRows(readFileSync(join(EMULATOR, 'COVERAGE.md'), 'utf8'))
const tests = [...new Set(rows.flatMap(({ shownBy }) => shownBy))].map(readNamedTest)

describe('the table of what is covered', () => {
  it('has a row for every operation of the keys API, and for no other', () => {
    const operations = operationsIn(readFileSync(join(EMULATOR, 'src/keyvault/target.ts'), 'utf8'))
    expect(operations).toEqual(expect.arrayContaining(['create', 'release', 'unwrapKey', 'listSettings']))
    const named = rows.filter(({ header }) => header[0] === 'operation').map(({ cells }) => cells[0])
    expect(named.toSorted()).toEqual(operations.map((name) => `\`${name}\``).toSorted())
  })

  it('names a test in every row', () => {
    expect(rows.length).toBeGreaterThan(80)
    for (const { cells, shownBy } of rows) expect(shownBy.length, cells[0]).toBeGreaterThan(0)
  })

  it.each(tests)('$file: $title', ({ file, title }) => {
    expectTest(resolve(EMULATOR, file), title)
  })
})

/** The members of the union `Operation` and of the unions it is made of, as they stand in the source. */
function operationsIn(source: string): string[] {
  const unions = [...source.matchAll(/export type \w*Operation =(.*?)\n\n/gs)]
  return unions.flatMap(([, body]) => [...body!.matchAll(/'(\w+)'/g)].map(([, name]) => name!))
}
