import { readFileSync } from 'node:fs'
import { RunnerError } from './errors.ts'

export interface UnreachableOptions {
  /** The emulator's own effective user id. */
  readonly user: number
  /** A file of /proc, or undefined. */
  readonly read: (path: string) => string | undefined
}

/**
 * Why the system keeps the memory of a process from the emulator, so that its request cannot be answered: EPERM and EACCES
 * of process_vm_readv(2) and of /proc/PID/fd say only that it does.
 * @param thread the id of the thread that asked
 */
export function unreachableCaller(
  thread: number,
  { user, read }: UnreachableOptions = { user: process.geteuid?.() ?? -1, read: readProc },
): RunnerError {
  const status = read(`/proc/${thread}/status`)
  const name = /^Name:\s*(.*)$/m.exec(status ?? '')?.[1] ?? 'a program'
  const who = `${name} (process ${thread}) asked the SNP device and cannot be answered`
  const owner = /^Uid:\s*\d+\s+(\d+)/m.exec(status ?? '')?.[1]
  if (owner !== undefined && Number(owner) !== user && user !== 0) {
    const words = `it runs as user ${owner}, the emulator as ${user}. Run both as one user (a runtime of root's needs root)`
    return new RunnerError('ERR_FOREIGN_PROCESS', `${who}: ${words}.`)
  }
  const scope = read('/proc/sys/kernel/yama/ptrace_scope')?.trim()
  if (scope !== undefined && scope !== '0') {
    const words =
      scope === '1'
        ? 'Yama lets the emulator read its descendants only (kernel.yama.ptrace_scope is 1). Have skerry run start the runtime'
        : `Yama lets ${scope === '2' ? 'root alone' : 'nobody'} read other processes (kernel.yama.ptrace_scope is ${scope})`
    return new RunnerError('ERR_PTRACE_SCOPE', `${who}: ${words}.`)
  }
  const words = 'it keeps its memory from its own user (a file without read permission, or PR_SET_DUMPABLE)'
  return new RunnerError('ERR_UNDUMPABLE_PROCESS', `${who}: ${words}.`)
}

function readProc(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
