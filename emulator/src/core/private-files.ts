import { randomUUID } from 'node:crypto'
import { chmodSync, mkdirSync, readFileSync } from 'node:fs'
import { link, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Small text files that only this user may read: keys, and the certificates that belong to them. */
export interface PrivateFiles {
  read(name: string): Promise<string | undefined>
  /** Like `read`, for the few places that cannot wait. */
  readSync(name: string): string | undefined
  /** Writes the whole file or nothing, over what was there. */
  write(name: string, text: string): Promise<void>
  /** Writes it unless it is there already (another process was faster); resolves to what is there afterwards. */
  writeOnce(name: string, text: string): Promise<string>
  /** The names of all that is there, in order. */
  names(): Promise<string[]>
  remove(name: string): Promise<void>
}

/** Files of mode 0600 in a directory of mode 0700, made when first written to. */
export function directoryFiles(directory: string): PrivateFiles {
  const pathOf = (name: string) => join(directory, fileName(name))
  /** A reader sees the old content or the new, never half of it: write beside, flush, then put in place. */
  const writeBeside = async (name: string, text: string): Promise<string> => {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    const beside = join(directory, `.${fileName(name)}.${randomUUID()}`)
    await writeFile(beside, text, { mode: 0o600, flag: 'wx', flush: true })
    return beside
  }
  const read = (name: string) => readFile(pathOf(name), 'utf8').catch(absentIfMissing)
  return {
    read,
    readSync(name) {
      try {
        return readFileSync(pathOf(name), 'utf8')
      } catch (error) {
        return absentIfMissing(error)
      }
    },
    async write(name, text) {
      await rename(await writeBeside(name, text), pathOf(name))
      chmodSync(directory, 0o700)
    },
    async writeOnce(name, text) {
      const beside = await writeBeside(name, text)
      try {
        await link(beside, pathOf(name))
        return text
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EEXIST') return await readFile(pathOf(name), 'utf8')
        // A file system without hard links: the last writer wins, which is as good while one process owns the directory.
        await writeFile(pathOf(name), text, { mode: 0o600, flush: true })
        return text
      } finally {
        await rm(beside, { force: true })
      }
    },
    async names() {
      const found = await readdir(directory).catch(absentIfMissing)
      // What begins with a dot is being written, or was when its writer was killed.
      return (found ?? [])
        .filter((name) => !name.startsWith('.'))
        .map(decodeURIComponent)
        .sort()
    },
    remove: (name) => rm(pathOf(name), { force: true }),
  }
}

/**
 * Files of a directory that may be lost. Where it cannot be used (no home, a read-only file system, another user's), they
 * are kept in memory, and `unusable` is told so once, in words.
 */
export function disposableFiles(directory: string, unusable: (reason: string) => void = () => {}): PrivateFiles {
  const files = directoryFiles(directory)
  const memory = memoryFiles()
  let told = false
  const giveUp = (error: unknown) => {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    if (!told) unusable(`${directory} cannot be used (${code})`)
    told = true
  }
  /** Tries the directory until it failed once. */
  const either = async <T>(use: (from: PrivateFiles) => Promise<T>): Promise<T> => {
    if (told) return await use(memory)
    try {
      return await use(files)
    } catch (error) {
      giveUp(error)
      return await use(memory)
    }
  }
  return {
    read: (name) => either((from) => from.read(name)),
    readSync(name) {
      try {
        if (!told) return files.readSync(name)
      } catch (error) {
        giveUp(error)
      }
      return memory.readSync(name)
    },
    write: (name, text) => either((from) => from.write(name, text)),
    writeOnce: (name, text) => either((from) => from.writeOnce(name, text)),
    names: () => either((from) => from.names()),
    remove: (name) => either((from) => from.remove(name)),
  }
}

/** The same in memory, gone with the process. */
export function memoryFiles(content: Readonly<Record<string, string>> = {}): PrivateFiles {
  const files = new Map(Object.entries(content))
  return {
    read: async (name) => files.get(name),
    readSync: (name) => files.get(name),
    async write(name, text) {
      files.set(name, text)
    },
    async writeOnce(name, text) {
      if (!files.has(name)) files.set(name, text)
      return files.get(name)!
    },
    names: async () => [...files.keys()].sort(),
    async remove(name) {
      files.delete(name)
    },
  }
}

/** Which files of a machine an instance has a part in. */
export interface MachineFiles {
  /** Made in, and shared through, the machine's. */
  readonly shared: (name: string) => boolean
  /** Of those, what is the instance's even when it has not asked for it yet. */
  readonly always: (name: string) => boolean
}

/**
 * `own` files over those of the machine. One that `own` has already (it came with an imported state) is used as it is.
 * The names are those of `own`, and of the machine's files those that were asked for or are always the instance's.
 */
export function layeredFiles(own: PrivateFiles, machine: PrivateFiles, which: MachineFiles): PrivateFiles {
  const used = new Set<string>()
  const ofMachine = (name: string) => which.shared(name) && used.add(name) !== undefined
  return {
    read: async (name) => (await own.read(name)) ?? (ofMachine(name) ? await machine.read(name) : undefined),
    readSync: (name) => own.readSync(name) ?? (ofMachine(name) ? machine.readSync(name) : undefined),
    write: (name, text) => (ofMachine(name) ? machine : own).write(name, text),
    async writeOnce(name, text) {
      return (await own.read(name)) ?? (await (ofMachine(name) ? machine : own).writeOnce(name, text))
    },
    async names() {
      const shared = await machine.names()
      const ours = shared.filter((name) => which.shared(name) && (used.has(name) || which.always(name)))
      return [...new Set([...(await own.names()), ...ours])].sort()
    },
    remove: (name) => own.remove(name),
  }
}

/** Names come from host names and the like: what could leave the directory, or hide in it, is escaped. */
function fileName(name: string): string {
  return encodeURIComponent(name).replaceAll('*', '%2A').replace(/^\./, '%2E')
}

function absentIfMissing(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
  throw error
}
