import { lstatSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { directoryFiles, isRunning, releasedAtExit, runtimeDirectory, startOf } from '../core/index.ts'
import { makeStateFolder, pidNamespace } from '../run/state-folder.ts'

/** What a running instance leaves in files of mode 0600, so that other commands of the same user find it. */
export interface InstanceInfo {
  readonly pid: number
  /** Tells this process from a later one that got the same id; absent where the system does not say. */
  readonly processStart?: string
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
  /** The folder that names this instance: its data directory, or, when its state is in memory, its runtime folder. */
  readonly data: string
  readonly journal: string
  readonly endpoints: Endpoints
  readonly credentials: Credentials
  readonly managedIdentity?: ManagedIdentity
  /** Environment variables of an app in App Service, with all identities of the instance. They hold a secret. */
  readonly appService?: Readonly<Record<string, string>>
}

/** Base URLs of what exists from the start; of vaults and managed HSMs, of one of each if there is any. */
export interface Endpoints {
  readonly vault?: string
  readonly mhsm?: string
  readonly maa: string
  readonly arm: string
}

export interface Credentials {
  readonly tenantId: string
  readonly clientId: string
  readonly clientSecret: string
  readonly subscriptionId: string
}

/** Of the programs of this machine. */
export interface ManagedIdentity {
  readonly clientId: string
  /** Its object id, which role assignments name. */
  readonly principalId: string
  /** Full ARM id. */
  readonly resourceId: string
}

/** Thrown when there is no telling which instance is meant, or none can be found. */
export class InstanceNotFoundError extends Error {
  readonly code: string = 'ERR_INSTANCE'
}

/** Thrown when none is running. */
export class NoInstanceError extends InstanceNotFoundError {
  override readonly code = 'ERR_NO_INSTANCE'
}

const FILE = 'instance.json'

/**
 * A private folder (mode 0700) for the files of an instance whose state is in memory; removed at the end. What a killed
 * instance left is removed by the next one.
 */
export function makeRuntimeFolder(runtime = runtimeDirectory()): { readonly path: string } & Disposable {
  requireOwnDirectory(runtime)
  const path = makeStateFolder(runtime, 'up')
  const removal = releasedAtExit(() => rmSync(path, { recursive: true, force: true, maxRetries: 2 }))
  return { path, [Symbol.dispose]: () => removal[Symbol.dispose]() }
}

/** Leaves word of this instance in its folder and in the user's runtime directory, until disposed of. */
export async function announce(info: InstanceInfo, runtime = runtimeDirectory()): Promise<Disposable> {
  const processStart = startOf(info.pid)
  const content = JSON.stringify({ ...info, ...(processStart !== undefined && { processStart }) }, null, 2)
  const name = `${wordPrefix()}${info.pid}.json`
  requireOwnDirectory(runtime)
  for (const { file } of words(runtime).filter((word) => word.info === undefined)) rmSync(file, { force: true })
  const gone = releasedAtExit(() => {
    rmSync(join(info.data, FILE), { force: true })
    rmSync(join(runtime, name), { force: true })
  })
  await directoryFiles(info.data).write(FILE, content)
  await directoryFiles(runtime).write(name, content)
  return gone
}

/**
 * The instance of that data directory; without one, the only one that runs.
 * @throws InstanceNotFoundError
 */
export function findInstance(data?: string, runtime = runtimeDirectory()): InstanceInfo {
  if (data !== undefined) {
    const info = read(join(data, FILE))
    if (info === undefined) {
      throw new NoInstanceError(`no instance runs on --data ${data}; start it with: skerry up --data ${data}`)
    }
    return info
  }
  const running = runningInstances(runtime)
  if (running.length === 1) return running[0]!
  if (running.length === 0) throw new NoInstanceError('no instance is running; start one with: skerry up')
  const choices = running.map((info) => `--data ${info.data}`).join(' or ')
  throw new InstanceNotFoundError(`${running.length} instances are running; say which one with ${choices}`)
}

export function runningInstances(runtime = runtimeDirectory()): InstanceInfo[] {
  if (!requireOwnDirectory(runtime, false)) return []
  return words(runtime)
    .map(({ info }) => info)
    .filter((info) => info !== undefined)
}

/** Process ids mean something within one PID namespace only: words of another one are not looked at. */
function wordPrefix(): string {
  return `${pidNamespace()}-`
}

/** What instances left word of; without `info` when its process is gone. */
function words(runtime: string): { readonly file: string; readonly info: InstanceInfo | undefined }[] {
  const prefix = wordPrefix()
  return readdirSync(runtime)
    .filter((name) => name.startsWith(prefix) && /^\d+\.json$/.test(name.slice(prefix.length)))
    .map((name) => join(runtime, name))
    .map((file) => ({ file, info: read(file) }))
}

/** What a file says, unless its process is gone. */
function read(file: string): InstanceInfo | undefined {
  let info: InstanceInfo
  try {
    info = JSON.parse(readFileSync(file, 'utf8')) as InstanceInfo
  } catch {
    return undefined
  }
  const { pid, processStart } = info
  if (!isRunning(pid)) return undefined
  return processStart === undefined || processStart === startOf(pid) ? info : undefined
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
