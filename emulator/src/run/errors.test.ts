import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8')

it('the README has a line for each code that a program can fail to start with', () => {
  const codes = read('errors.ts').match(/ERR_\w+/g) ?? []
  const readme = read('../../README.md')
  expect(codes.length).toBeGreaterThan(15)
  expect(codes.filter((code) => !readme.includes(`\`${code}\``))).toEqual([])
})
