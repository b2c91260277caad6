import { mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { stillClock } from '../testing/clock.ts'
import { createLog, type LogLevel, logSink } from './log.ts'

const logged = (level: LogLevel, at: LogLevel, message: string) => {
  const lines: string[] = []
  createLog({ level, write: (line) => lines.push(line), clock: stillClock() })(at, message)
  return lines
}

describe('the log', () => {
  it('has time, level and message', () => {
    expect(logged('debug', 'debug', 'Releasing key blob: {k}')).toEqual([
      'time="2026-01-01T00:00:00Z" level=debug msg=Releasing key blob: {k}',
    ])
  })

  it('leaves out what is less severe than its level', () => {
    expect(logged('warning', 'info', 'x')).toEqual([])
    expect(logged('warning', 'error', 'x')).toHaveLength(1)
  })

  it('keeps a message on one line, so that nobody forges one', () => {
    expect(logged('debug', 'info', 'a\nlevel=info msg=b\u2028c')).toEqual([
      'time="2026-01-01T00:00:00Z" level=info msg=a level=info msg=b c',
    ])
  })
})

describe("a log's file", () => {
  it("is its owner's alone, and may be moved away while it is written to", () => {
    const folder = mkdtempSync(join(tmpdir(), 'skerry-log-'))
    const file = join(folder, 'log.txt')
    const write = logSink(file)
    write('one')
    expect([readFileSync(file, 'utf8'), statSync(file).mode & 0o777]).toEqual(['one\n', 0o600])
    renameSync(file, `${file}.1`)
    write('two')
    expect([readFileSync(file, 'utf8'), statSync(file).mode & 0o777]).toEqual(['two\n', 0o600])

    rmSync(folder, { recursive: true })
    const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    try {
      write('three')
      expect(said).toHaveBeenCalledWith('three (not in the log file: ENOENT)\n')
    } finally {
      said.mockRestore()
    }
  })
})
