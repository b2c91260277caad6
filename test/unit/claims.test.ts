import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ROOT } from '../support/skerry.ts'
import { expectTest, type NamedTest, readNamedTest } from '../support/test-titles.ts'

// The README's table of claims against the tests: a claim without a test, or a test that was renamed away, fails here.

interface Claim extends NamedTest {
  readonly claim: string
}

const claims = readClaims(readFileSync(join(ROOT, 'README.md'), 'utf8'))

describe('the README’s claims', () => {
  it('are there, each with one test', () => {
    expect(claims.length).toBeGreaterThan(20)
    expect(new Set(claims.map(({ claim }) => claim)).size).toBe(claims.length)
  })

  it.each(claims)('$claim', ({ file, title }) => {
    expectTest(join(ROOT, file), title)
  })
})

/** Rows `| claim | [file](file): title |` between the two markers. */
function readClaims(readme: string): Claim[] {
  const table = /<!-- claims -->\n(.*?)<!-- \/claims -->/s.exec(readme)?.[1] ?? ''
  return table
    .split('\n')
    .filter((line) => line.startsWith('| ') && !/^\| (claim|---)/.test(line))
    .map((line) => {
      const row = /^\| (.+?) \| (.+?) \|$/.exec(line)
      if (!row) throw new Error(`not a row of the claims' table: ${line}`)
      return { claim: row[1]!, ...readNamedTest(row[2]!) }
    })
}
