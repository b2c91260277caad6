import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { describe, expect, it, vi } from 'vitest'
import { isRunning, startOf } from './process-life.ts'

describe('a process', () => {
  it('runs while it runs, and not when it has ended', async () => {
    const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'])
    expect(isRunning(child.pid!)).toBe(true)
    child.stdin.end()
    await once(child, 'exit')
    expect(isRunning(child.pid!)).toBe(false)
  })

  it('that has ended and that nobody waited for does not run', async ({ skip }) => {
    if (process.platform !== 'linux') skip('only Linux tells')
    // The shell becomes a program that does not know of the child it has.
    const parent = spawn('sh', ['-c', ': & echo $!; exec cat'], { stdio: ['pipe', 'pipe', 'ignore'] })
    const [line] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string]
    const pid = Number(line)
    await vi.waitFor(() => expect(isRunning(pid)).toBe(false), { timeout: 5_000, interval: 5 })
    expect(() => process.kill(pid, 0)).not.toThrow()
    parent.stdin.end()
    await once(parent, 'exit')
  })

  it('has a start time, which a missing one has not', ({ skip }) => {
    if (process.platform !== 'linux') skip('only Linux tells')
    expect(startOf(process.pid)).toMatch(/^\d+$/)
    expect(startOf(2 ** 30)).toBeUndefined()
  })
})
