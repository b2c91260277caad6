import { lstatSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { directoryFiles, isRunning, runtimeDirectory } from '../core/index.ts'

/** What a running instance leaves in files of mode 0600, so that other commands of the same user find it. */
export interface InstanceInfo {
  readonly pid: number
  /** ISO 8601. */
  readonly startedAt: string
  /** `http://127.0.0.1:<port>`: proxy and control routes. */
  readonly url: string
  /** The bearer token of the control routes. */
  readonly controlToken: string
  /** Proxy URL with this instance's credential. */
  readonly proxy: string
  /** PEM file of the root certificate. */
  readonly ca: string
  readonly data: string
  readonly journal: string
  readonly endpoints: Endpoints
  readonly credentials: Credentials
}

/** Base URLs of what exists from the start. */
export interface Endpoints {
  readonly vault: string
  readonly mhsm: string
  readonly maa: string
  readonly arm: string
}

export interface Credentials {
  readonly tenantId: string
  readonly clientId: string
  readonly clientSecret: string
  readonly subscriptionId: string
}

/** Thrown when there is no running instance, or no telling which one is meant. */
export class InstanceNotFoundError extends Error {
  readonly code = 'ERR_NO_INSTANCE'
}

const FILE = 'instance.json'

/** Leaves word of this instance in its data directory and in the user's runtime directory, until disposed of. */
export async function announce(info: InstanceInfo, runtime = runtimeDirectory()): Promise<Disposable> {
  const content = JSON.stringify(info, null, 2)
  const name = `${info.pid}.json`
  requireOwnDirectory(runtime)
  await directoryFiles(info.data).write(FILE, content)
  await directoryFiles(runtime).write(name, content)
  return {
    [Symbol.dispose]: () => {
      rmSync(join(info.data, FILE), { force: true })
      rmSync(join(runtime, name), { force: true })
    },
  }
}

/**
 * The instance of that data directory; without one, the only one that runs.
 * @throws InstanceNotFoundError
 */
export function findInstance(data?: string, runtime = runtimeDirectory()): InstanceInfo {
  if (data !== undefined) {
    const info = read(join(data, FILE))
    if (info === undefined) {
      throw new InstanceNotFoundError(`no instance runs on --data ${data}; start it with: skerry up --data ${data}`)
    }
    return info
  }
  const running = runningInstances(runtime)
  if (running.length === 1) return running[0]!
  if (running.length === 0) throw new InstanceNotFoundError('no instance is running; start one with: skerry up')
  const choices = running.map((info) => `--data ${info.data}`).join(' or ')
  throw new InstanceNotFoundError(`${running.length} instances are running; say which one with ${choices}`)
}

export function runningInstances(runtime = runtimeDirectory()): InstanceInfo[] {
  if (!requireOwnDirectory(runtime, false)) return []
  return readdirSync(runtime)
    .filter((name) => /^\d+\.json$/.test(name))
    .map((name) => read(join(runtime, name)))
    .filter((info) => info !== undefined)
}

/** What a file says, unless its process is gone. */
function read(file: string): InstanceInfo | undefined {
  let info: InstanceInfo
  try {
    info = JSON.parse(readFileSync(file, 'utf8')) as InstanceInfo
  } catch {
    return undefined
  }
  return isRunning(info.pid) ? info : undefined
}

/** In a shared place such as /tmp, a directory of that name could be somebody else's. */
function requireOwnDirectory(directory: string, create = true): boolean {
  if (create) mkdirSync(directory, { recursive: true, mode: 0o700 })
  const stat = lstatSync(directory, { throwIfNoEntry: false })
  if (stat === undefined) return false
  const foreign = process.getuid !== undefined && stat.uid !== process.getuid()
  if (!stat.isDirectory() || foreign) {
    throw new InstanceNotFoundError(
      `${resolve(directory)} belongs to another user: set XDG_RUNTIME_DIR to a directory of yours`,
    )
  }
  return true
}
