import { randomUUID } from 'node:crypto'
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { releasedAtExit } from './at-exit.ts'
import { isRunning, startOf } from './process-life.ts'

/** Thrown when another process holds the data directory. */
export class DataDirectoryInUseError extends Error {
  readonly code = 'ERR_DATA_IN_USE'
  /** The process that holds it. */
  readonly pid: number
  constructor(directory: string, pid: number) {
    super(`${directory} is in use by process ${pid}; end that one, or choose another directory with --data`)
    this.name = 'DataDirectoryInUseError'
    this.pid = pid
  }
}

interface Holder {
  readonly pid: number
  /** Tells this process from a later one that got the same id; absent where the system does not say. */
  readonly started?: string
}

/**
 * Takes a data directory for this process. A lock whose holder is gone (`kill -9`) is taken over.
 * @throws DataDirectoryInUseError
 */
export function lockDataDirectory(directory: string): Disposable {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const file = join(directory, 'lock')
  const started = startOf(process.pid)
  const mine = JSON.stringify({ pid: process.pid, ...(started !== undefined && { started }) } satisfies Holder)
  for (;;) {
    if (tryCreate(file, mine)) break
    const found = readOr(file)
    if (found === undefined) continue
    const holder = parseHolder(found)
    if (holder !== undefined && isAlive(holder)) throw new DataDirectoryInUseError(directory, holder.pid)
    removeStale(file, found)
  }
  return releasedAtExit(() => {
    if (readOr(file) === mine) rmSync(file, { force: true })
  })
}

/** Appears with its content or not at all: a reader never finds an empty lock. */
function tryCreate(file: string, content: string): boolean {
  const beside = `${file}.${randomUUID()}`
  writeFileSync(beside, content, { mode: 0o600, flag: 'wx' })
  try {
    linkSync(beside, file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(beside, { force: true })
  }
}

/** Two processes may find the same stale lock: what is moved away is looked at again, and put back if it is a new one. */
function removeStale(file: string, stale: string): void {
  const aside = `${file}.${randomUUID()}`
  try {
    renameSync(file, aside)
  } catch {
    return
  }
  if (readOr(aside) !== stale) {
    try {
      linkSync(aside, file)
    } catch {
      // A third process has it by now: the loop finds out.
    }
  }
  rmSync(aside, { force: true })
}

function parseHolder(content: string): Holder | undefined {
  try {
    const { pid, started } = JSON.parse(content) as Partial<Holder>
    return Number.isInteger(pid) && pid! > 0 ? { pid: pid!, ...(started !== undefined && { started }) } : undefined
  } catch {
    return undefined
  }
}

function isAlive({ pid, started }: Holder): boolean {
  if (!isRunning(pid)) return false
  const now = startOf(pid)
  return started === undefined || now === undefined || now === started
}

function readOr(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
