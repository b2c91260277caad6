import { closeSync, lstatSync, readlinkSync, rmSync, symlinkSync } from 'node:fs'
import { loadAddon } from '../device/addon.ts'
import { InvalidArgumentError } from '../http/endpoint.ts'
import { type ChildOptions, runChild } from './child.ts'
import { type Destination, requireFolder, secretFile } from './destination.ts'

/** Where a program is told to find its key, unless it is told otherwise. */
const KEY_FILE_VARIABLE = 'SKERRY_KEY_FILE'

/** How a program gets its key: in a variable, in a file or by a link of this name, or (none) in a file in memory. */
export interface HandOver {
  readonly env?: string
  readonly file?: string
  readonly link?: string
  /** The variable that has the file's path. Default SKERRY_KEY_FILE. */
  readonly pathEnv?: string
}

/** The child's third descriptor: the file in memory, which has no name of its own. */
const MEMORY_FILE = '/proc/self/fd/3'

/** Runs a program with a key, which it wipes. Resolves with the exit code. */
export type RunWithKey = (command: readonly string[], key: Buffer, options: ChildOptions) => Promise<number>

/**
 * Looks at what was asked for before there is a key. The key never stands in the program's arguments; `{key}` there is
 * replaced by the path of the file.
 * - `env`: a variable of the program;
 * - `file`: a file for its owner alone (0600), which must not exist before and is removed when the program ends;
 * - `link`: a name for a file in memory that this process holds: whatever ends it, nothing but the name remains;
 * - none: a file in memory that the program alone has, as its descriptor 3.
 * @throws InvalidArgumentError
 */
export function prepareHandOver(handOver: HandOver): RunWithKey {
  const { env, file, link, pathEnv = KEY_FILE_VARIABLE } = handOver
  if ([env, file, link].filter((way) => way !== undefined).length > 1)
    throw new InvalidArgumentError('--env, --file or --link', 'may be given, not two of them')
  requireVariable('--path-env', pathEnv)
  if (env !== undefined) return inVariable(requireVariable('--env', env))
  if (file !== undefined) return inFile(file, secretFile('--file', file), pathEnv)
  if (link !== undefined) return byLink(requireLink(link), pathEnv)
  return inMemory(pathEnv)
}

/** @throws InvalidArgumentError */
export function requireVariable(flag: string, name: string): string {
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return name
  throw new InvalidArgumentError(flag, `must be the name of a variable, not "${name}"`)
}

function inVariable(name: string): RunWithKey {
  return async (command, key, options) => {
    // A variable's value has no newline at its end.
    const value = key.toString('utf8').trimEnd()
    key.fill(0)
    return await runChild(command, { ...options, env: { ...options.env, [name]: value } })
  }
}

function inFile(path: string, file: Destination, pathEnv: string): RunWithKey {
  return async (command, key, options) => {
    writeAndWipe(key, (secret) => file.write(secret))
    const given = withPath(command, options, pathEnv, path)
    return await runChild(given.command, given.options).finally(() => rmSync(path, { force: true }))
  }
}

function inMemory(pathEnv: string): RunWithKey {
  return async (command, key, options) => {
    const fd = writeAndWipe(key, (secret) => loadAddon().createMemoryFile('key', secret))
    const given = withPath(command, options, pathEnv, MEMORY_FILE)
    return await runChild(given.command, { ...given.options, fd }).finally(() => closeSync(fd))
  }
}

function byLink(path: string, pathEnv: string): RunWithKey {
  return async (command, key, options) => {
    // Ahead of the new file: in a container that starts again, process and descriptor have the numbers they had.
    removeLeftover(path)
    const fd = writeAndWipe(key, (secret) => loadAddon().createMemoryFile('key', secret))
    try {
      symlinkSync(`/proc/${process.pid}/fd/${fd}`, path)
      const given = withPath(command, options, pathEnv, path)
      return await runChild(given.command, given.options).finally(() => rmSync(path, { force: true }))
    } finally {
      closeSync(fd)
    }
  }
}

function requireLink(path: string): string {
  if (lstatSync(path, { throwIfNoEntry: false }) !== undefined && !isLeftover(path))
    throw new InvalidArgumentError('--link', `${path} exists; it is not written over`)
  requireFolder('--link', path)
  return path
}

function removeLeftover(path: string): void {
  if (isLeftover(path)) rmSync(path)
}

/** Of a process that was killed: a link as they are made here, and no key behind it. */
function isLeftover(path: string): boolean {
  try {
    const target = readlinkSync(path)
    return /^\/proc\/\d+\/fd\/\d+$/.test(target) && !leadsToKey(target)
  } catch {
    return false
  }
}

function leadsToKey(descriptorPath: string): boolean {
  try {
    return readlinkSync(descriptorPath).startsWith('/memfd:key')
  } catch {
    return false
  }
}

function withPath(command: readonly string[], options: ChildOptions, variable: string, path: string) {
  return {
    command: command.map((argument) => argument.replaceAll('{key}', path)),
    options: { ...options, env: { ...options.env, [variable]: path } },
  }
}

function writeAndWipe<T>(key: Buffer, write: (key: Buffer) => T): T {
  try {
    return write(key)
  } finally {
    key.fill(0)
  }
}
