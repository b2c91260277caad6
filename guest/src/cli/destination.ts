import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { isatty } from 'node:tty'
import { getSystemErrorMessage } from 'node:util'
import { InvalidArgumentError } from '../http/endpoint.ts'

/** Where a secret goes. It is looked at before the secret is asked for: no key is released to be dropped. */
export interface Destination {
  /** Says where it is, for people. */
  readonly words: string
  /** @throws Error in words; nothing of the secret is left in a file then */
  write(secret: Uint8Array): void
}

/**
 * A file for its owner alone (0600). Never one that is there: a file of somebody else's mode would keep it, and a link
 * would lead elsewhere.
 * @param flag names it in errors
 * @throws InvalidArgumentError when it exists, or its folder is not there or cannot be written to
 */
export function secretFile(flag: string, path: string): Destination {
  if (lstatSync(path, { throwIfNoEntry: false }) !== undefined)
    throw new InvalidArgumentError(flag, `${path} exists; it is not written over`)
  requireFolder(flag, path)
  return { words: path, write: (secret) => writeSecretFile(path, secret) }
}

/** @throws InvalidArgumentError */
export function requireFolder(flag: string, path: string): void {
  if (path === '' || path.endsWith('/')) throw new InvalidArgumentError(flag, `must name a file, not "${path}"`)
  const folder = dirname(path)
  try {
    accessSync(folder, constants.W_OK | constants.X_OK)
  } catch (error) {
    throw new InvalidArgumentError(flag, `${path} cannot be made in ${folder}: ${reasonOf(error)}`)
  }
}

function writeSecretFile(path: string, secret: Uint8Array): void {
  try {
    const fd = openSync(path, 'wx', 0o600)
    try {
      writeAll(fd, secret)
    } catch (error) {
      // Half a key is of no use to anybody who may find it.
      rmSync(path, { force: true })
      throw error
    } finally {
      closeSync(fd)
    }
  } catch (cause) {
    throw new Error(`${path} cannot be written: ${reasonOf(cause)}`, { cause })
  }
}

/**
 * A descriptor that was opened for it by whoever started this program: a pipe, a socket, a file.
 * @throws InvalidArgumentError for one that is not open for writing, or a terminal
 */
export function descriptor(flag: string, text: string): Destination {
  const fd = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN
  if (Number.isNaN(fd)) throw new InvalidArgumentError(flag, `must be the number of a descriptor, not "${text}"`)
  if (!isOpen(fd)) throw new InvalidArgumentError(flag, `${fd} is not open`)
  if (isatty(fd)) throw new InvalidArgumentError(flag, `${fd} is a terminal: a key is not shown there`)
  try {
    writeSync(fd, new Uint8Array())
  } catch (error) {
    throw new InvalidArgumentError(flag, `${fd} is not open for writing: ${reasonOf(error)}`)
  }
  return {
    words: `descriptor ${fd}`,
    write: (secret) => {
      try {
        writeAll(fd, secret)
      } catch (cause) {
        throw new Error(`descriptor ${fd} cannot be written: ${reasonOf(cause)}`, { cause })
      }
    },
  }
}

/** By whoever started this program: what Node has opened for itself is as good as closed. */
function isOpen(fd: number): boolean {
  try {
    fstatSync(fd)
  } catch {
    return false
  }
  return fd > 2 ? !isNodesOwn(fd) : !isStandIn(fd)
}

/**
 * What Node waits with: no file at all, or a pipe to itself, both ends of which are here. It would take a key for the
 * address of something.
 */
function isNodesOwn(fd: number): boolean {
  const link = linkOf(String(fd))
  if (link.startsWith('anon_inode:')) return true
  const isOtherEnd = (other: string) => linkOf(other) === link && accessOf(other) === constants.O_RDONLY
  return link.startsWith('pipe:') && openDescriptors().some(isOtherEnd)
}

/** Node puts /dev/null, open both ways, in the place of a standard descriptor that was closed. */
function isStandIn(fd: number): boolean {
  return linkOf(String(fd)) === '/dev/null' && accessOf(String(fd)) === constants.O_RDWR
}

function openDescriptors(): string[] {
  return existsSync('/proc/self/fd') ? readdirSync('/proc/self/fd') : []
}

/** What Linux says a descriptor leads to; empty elsewhere. */
function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`)
  } catch {
    return ''
  }
}

/** O_RDONLY, O_WRONLY or O_RDWR. */
function accessOf(fd: string): number {
  const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '0'
  return Number.parseInt(flags, 8) & (constants.O_RDWR | constants.O_WRONLY)
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at)
}

/** The system's words: `no such file or directory (ENOENT)`. */
export function reasonOf(error: unknown): string {
  const { code, errno, message } = error as NodeJS.ErrnoException
  return code === undefined || errno === undefined ? message : `${getSystemErrorMessage(errno)} (${code})`
}
