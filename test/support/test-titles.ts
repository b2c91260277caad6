import { existsSync, readFileSync } from 'node:fs'
import { expect } from 'vitest'

/** A test as a document names it: `[file](path): title`. */
export interface NamedTest {
  readonly file: string
  readonly title: string
}

/** @throws Error for text that is not of that form */
export function readNamedTest(text: string): NamedTest {
  const parts = /^\[[^\]]+\]\(([^)]+)\): (.+)$/s.exec(text)
  if (parts === null) throw new Error(`not a test by file and title: ${text}`)
  return { file: parts[1]!, title: parts[2]! }
}

/** Fails when the file is not there (an absolute path), or has no test or group of tests of that title. */
export function expectTest(path: string, title: string): void {
  expect(existsSync(path), `${path} is not there`).toBe(true)
  expect(titlesOf(readFileSync(path, 'utf8'))).toContain(title)
}

/** The titles of the tests in a file, as they are written: those of `it`, `describe` and their `each`. */
function titlesOf(source: string): string[] {
  const literal =
    /(?:\bit|\btest|\bdescribe)(?:\.\w+)*(?:\([^'"`]*?\)|<[^>]*>)*\(\s*(?:\w+\s*,\s*)?(['"`])((?:\\.|(?!\1).)*)\1/gs
  const each = /\)\(\s*(['"`])((?:\\.|(?!\1).)*)\1/gs
  return [...source.matchAll(literal), ...source.matchAll(each)].map((match) => match[2]!.replace(/\\(.)/g, '$1'))
}
