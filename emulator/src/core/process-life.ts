import { readFileSync } from 'node:fs'

/**
 * Whether a process still runs. A killed one that nobody has waited for yet does not, though its id is still taken: in a
 * container whose first process reaps nobody, it stays so for good.
 */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: it is there, and another user's.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  const state = processStatus(pid)?.[0]
  return state !== 'Z' && state !== 'X'
}

/** Start time in clock ticks since boot (proc_pid_stat(5), field 22); Linux only. */
export function startOf(pid: number): string | undefined {
  return processStatus(pid)?.[19]
}

/** The fields after the name in parentheses, which may hold anything. */
function processStatus(pid: number): readonly string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return undefined
  }
}
