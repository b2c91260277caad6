import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isRunning } from '../core/process-life.ts'

/**
 * A folder for what lives as long as a network, a run or an instance (a hosts file, a security context). Its name says
 * whose it is, so that the next one of its kind takes away what a killed one left behind.
 */
export function makeStateFolder(parent = tmpdir(), kind = 'run'): string {
  const prefix = `skerry-${kind}-${pidNamespace()}-`
  for (const name of readdirSync(parent)) {
    if (!name.startsWith(prefix)) continue
    const pid = Number(name.slice(prefix.length).split('-')[0])
    if (!isRunning(pid)) removeOurs(join(parent, name))
  }
  return mkdtempSync(join(parent, `${prefix}${process.pid}-`))
}

export function removeStateFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true })
}

function removeOurs(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true })
  } catch {
    // Another user's, and that user's business.
  }
}

/** Process ids mean something within one PID namespace only, and a temporary folder may be shared by several. */
export function pidNamespace(): string {
  try {
    return /\d+/.exec(readlinkSync('/proc/self/ns/pid'))?.[0] ?? '0'
  } catch {
    return '0'
  }
}
