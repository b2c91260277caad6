import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeStateFolder } from './state-folder.ts'

let parent: string
beforeAll(() => {
  parent = mkdtempSync(join(tmpdir(), 'skerry-state-'))
})
afterAll(() => rmSync(parent, { recursive: true, force: true }))

describe('a state folder', () => {
  it('takes away what a process that is gone left behind, and nothing else', () => {
    const mine = makeStateFolder(parent)
    // Beyond the largest pid that Linux gives (2^22).
    const gone = join(parent, basename(mine).replace(`-${process.pid}-`, '-4194305-'))
    const elsewhere = join(parent, 'skerry-run-1-4194305-abc')
    const foreign = join(parent, 'something-else')
    for (const folder of [gone, elsewhere, foreign]) mkdirSync(folder)
    const second = makeStateFolder(parent)
    expect([mine, second, gone, elsewhere, foreign].map((folder) => existsSync(folder))).toEqual([
      true,
      true,
      false,
      true,
      true,
    ])
  })
})
