import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isStale, sourcesHash } from './native-sources.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skerry-test-native-'))
  mkdirSync(join(folder, 'launch'))
  mkdirSync(join(folder, 'build/Release'), { recursive: true })
  writeFileSync(join(folder, 'binding.gyp'), '{}')
  writeFileSync(join(folder, 'launch/main.c'), 'int main(void) { return 0; }')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const stamp = (text: string) => writeFileSync(join(folder, 'build/Release/.sources'), text)

describe('what the native parts were built from', () => {
  it('is what lies there, until a source changes', () => {
    stamp(`${sourcesHash(folder)}\n`)
    expect(isStale(folder)).toBe(false)
    writeFileSync(join(folder, 'launch/main.c'), 'int main(void) { return 1; }')
    expect(isStale(folder)).toBe(true)
  })

  it('takes in new sources and no results of the build', () => {
    stamp(sourcesHash(folder))
    writeFileSync(join(folder, 'build/Release/config.h'), '')
    writeFileSync(join(folder, 'README.md'), '')
    expect(isStale(folder)).toBe(false)
    writeFileSync(join(folder, 'launch/new.h'), '')
    expect(isStale(folder)).toBe(true)
  })

  it('is not asked about where the build left no word', () => {
    expect(isStale(folder)).toBe(false)
  })

  it('is these sources, in this checkout', () => {
    expect(isStale(fileURLToPath(new URL('../../native/', import.meta.url)))).toBe(false)
  })
})
