import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ROOT } from '../support/skerry.ts'

// The README's table of claims against the tests: a claim without a test, or a test that was renamed away, fails here.

interface Claim {
  readonly claim: string
  readonly file: string
  readonly title: string
}

const claims = readClaims(readFileSync(join(ROOT, 'README.md'), 'utf8'))

describe('the README’s claims', () => {
  it('are there, each with one test', () => {
    expect(claims.length).toBeGreaterThan(20)
    expect(new Set(claims.map(({ claim }) => claim)).size).toBe(claims.length)
  })

  it.each(claims)('$claim', ({ file, title }) => {
    expect(existsSync(join(ROOT, file)), `${file} is not there`).toBe(true)
    expect(titlesOf(readFileSync(join(ROOT, file), 'utf8'))).toContain(title)
  })
})

/** Rows `| claim | [file](file): title |` between the two markers. */
function readClaims(readme: string): Claim[] {
  const table = /<!-- claims -->\n(.*?)<!-- \/claims -->/s.exec(readme)?.[1] ?? ''
  return table
    .split('\n')
    .filter((line) => line.startsWith('| ') && !/^\| (claim|---)/.test(line))
    .map((line) => {
      const row = /^\| (.+?) \| \[[^\]]+\]\(([^)]+)\): (.+?) \|$/.exec(line)
      if (!row) throw new Error(`not a row of the claims' table: ${line}`)
      return { claim: row[1]!, file: row[2]!, title: row[3]! }
    })
}

/** The titles of the tests in a file, as they are written: those of `it`, `describe` and their `each`. */
function titlesOf(source: string): string[] {
  const literal =
    /(?:\bit|\btest|\bdescribe)(?:\.\w+)*(?:\([^'"`]*?\)|<[^>]*>)*\(\s*(?:\w+\s*,\s*)?(['"`])((?:\\.|(?!\1).)*)\1/gs
  const each = /\)\(\s*(['"`])((?:\\.|(?!\1).)*)\1/gs
  return [...source.matchAll(literal), ...source.matchAll(each)].map((match) => match[2]!.replace(/\\(.)/g, '$1'))
}
