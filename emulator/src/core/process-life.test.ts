import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
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
    // The shell becomes a program that does not know of the child it has; only then may the child end, since a shell reaps.
    const script = 'exec 3<&0; head -c 1 <&3 >/dev/null & echo $!; exec tail -f /dev/null'
    const parent = spawn('sh', ['-c', script], { stdio: ['pipe', 'pipe', 'ignore'] })
    const [line] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string]
    const pid = Number(line)
    const within = { timeout: 5_000, interval: 5 }
    await vi.waitFor(() => expect(readFileSync(`/proc/${parent.pid}/comm`, 'utf8')).toBe('tail\n'), within)
    expect(isRunning(pid)).toBe(true)
    parent.stdin.end('.')
    await vi.waitFor(() => expect(isRunning(pid)).toBe(false), within)
    expect(() => process.kill(pid, 0)).not.toThrow()
    parent.kill()
    await once(parent, 'exit')
  })

  it('has a start time, which a missing one has not', ({ skip }) => {
    if (process.platform !== 'linux') skip('only Linux tells')
    expect(startOf(process.pid)).toMatch(/^\d+$/)
    expect(startOf(2 ** 30)).toBeUndefined()
  })
})
