import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DataDirectoryInUseError, lockDataDirectory } from './data-lock.ts'

describe('the lock of a data directory', () => {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'skerry-lock-'))
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('refuses a second holder and names the first', () => {
    using _first = lockDataDirectory(folder)
    expect(() => lockDataDirectory(folder)).toThrow(DataDirectoryInUseError)
    expect(() => lockDataDirectory(folder)).toThrow(new RegExp(`process ${process.pid}.*--data`))
  })

  it('is free again when given back, and leaves nothing', () => {
    lockDataDirectory(folder)[Symbol.dispose]()
    expect(readdirSync(folder)).toEqual([])
    lockDataDirectory(folder)[Symbol.dispose]()
  })

  it('is taken over from a process that was killed', async () => {
    const child = spawn(process.execPath, ['-e', ''])
    await new Promise((resolve) => child.on('exit', resolve))
    writeFileSync(join(folder, 'lock'), JSON.stringify({ pid: child.pid }))
    using _lock = lockDataDirectory(folder)
    expect(readdirSync(folder)).toEqual(['lock'])
  })

  it('is taken over when another program has the id of the one that was killed', ({ skip }) => {
    if (process.platform !== 'linux') skip('only Linux tells when a process started')
    writeFileSync(join(folder, 'lock'), JSON.stringify({ pid: process.pid, started: '1' }))
    using _lock = lockDataDirectory(folder)
    expect(() => lockDataDirectory(folder)).toThrow(DataDirectoryInUseError)
  })

  it('is taken over when its file holds no lock', () => {
    writeFileSync(join(folder, 'lock'), '')
    using _lock = lockDataDirectory(folder)
    expect(readdirSync(folder)).toEqual(['lock'])
  })
})
