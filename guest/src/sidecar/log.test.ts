import { describe, expect, it } from 'vitest'
import { stillClock } from '../testing/clock.ts'
import { createLog, type LogLevel } from './log.ts'

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
