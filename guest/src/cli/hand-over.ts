import { closeSync, fstatSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { isatty } from 'node:tty'
import { loadAddon } from '../device/addon.ts'
import { InvalidArgumentError } from '../http/endpoint.ts'
import { type ChildOptions, runChild } from './child.ts'

/** Where a program is told to find its key, unless it is told otherwise. */
export const KEY_FILE_VARIABLE = 'SKERRY_KEY_FILE'

/** How a program gets its key: in a variable, in a file of this name, or (neither) in a file in memory. */
export interface HandOver {
  readonly env?: string
  readonly file?: string
  /** The variable that has the file's path. Default SKERRY_KEY_FILE. */
  readonly pathEnv?: string
}

/** The child's third descriptor: the file in memory, which has no name of its own. */
const MEMORY_FILE = '/proc/self/fd/3'

/**
 * Runs a program with a key. The key never stands in its arguments; `{key}` there is replaced by the path of the file.
 * A file is made for its owner alone (0600), must not exist before, and is removed when the program ends.
 * @param key wiped before the program runs
 * @returns the exit code
 */
export async function runWithKey(
  command: readonly string[],
  key: Buffer,
  handOver: HandOver,
  options: ChildOptions,
): Promise<number> {
  const { env, file, pathEnv = KEY_FILE_VARIABLE } = handOver
  try {
    if (env !== undefined) {
      // A variable's value has no newline at its end.
      return await runChild(command, { ...options, env: { ...options.env, [env]: key.toString('utf8').trimEnd() } })
    }
    const at = file ?? MEMORY_FILE
    const withPath = command.map((argument) => argument.replaceAll('{key}', at))
    const surroundings = { ...options, env: { ...options.env, [pathEnv]: at } }
    if (file === undefined) {
      const fd = loadAddon().createMemoryFile('key', key)
      key.fill(0)
      return await runChild(withPath, { ...surroundings, fd }).finally(() => closeSync(fd))
    }
    writeSecretFile(file, key)
    key.fill(0)
    return await runChild(withPath, surroundings).finally(() => rmSync(file, { force: true }))
  } finally {
    key.fill(0)
  }
}

/**
 * Never over something that is there: a file of somebody else's mode would keep it.
 * @throws InvalidArgumentError when it exists
 */
export function writeSecretFile(path: string, content: Uint8Array | string): void {
  try {
    writeFileSync(path, content, { mode: 0o600, flag: 'wx' })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') throw new InvalidArgumentError('--to-file', `${path} exists; it is not written over`)
    throw error
  }
}

/**
 * Into a descriptor that was opened for it by whoever started this program: a pipe, a socket, a file.
 * @throws InvalidArgumentError for one that is not open, or a terminal
 */
export function writeToDescriptor(text: string, content: Uint8Array): void {
  const fd = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN
  if (Number.isNaN(fd)) throw new InvalidArgumentError('--to-fd', `must be the number of a descriptor, not "${text}"`)
  try {
    fstatSync(fd)
  } catch {
    throw new InvalidArgumentError('--to-fd', `${fd} is not open`)
  }
  if (isatty(fd)) throw new InvalidArgumentError('--to-fd', `${fd} is a terminal: a key is not shown there`)
  for (let at = 0; at < content.length; ) at += writeSync(fd, content, at)
}
