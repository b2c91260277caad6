import { cpSync, lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** What stands in the files of a data directory, looked at without the emulator. */

/** The key versions and the secrets of the store, each as `host/name/version`. */
export interface Kept {
  /** Those of one key oldest first. */
  readonly versions: readonly string[]
  readonly materials: readonly string[]
  /** What SQLite says of the file: `ok`. */
  readonly integrity: string
}

/** Looks at a copy: opening a database mends it, which is the emulator's own business. */
export function keptIn(data: string): Kept {
  const copy = mkdtempSync(join(tmpdir(), 'skerry-kept-'))
  try {
    for (const name of readdirSync(data).filter((each) => each.startsWith('state.sqlite'))) {
      cpSync(join(data, name), join(copy, name))
    }
    using db = new DatabaseSync(join(copy, 'state.sqlite'))
    const rows = (collection: string) =>
      db.prepare('SELECT key, value FROM documents WHERE collection = ? ORDER BY key').all(collection) as {
        key: string
        value: string
      }[]
    return {
      versions: rows('keyvault.keys').flatMap(({ key, value }) => {
        const { versions } = JSON.parse(value) as { versions: { version: string }[] }
        return versions.map(({ version }) => `${key}/${version}`)
      }),
      materials: rows('keyvault.material').map(({ key }) => key),
      integrity: (db.prepare('PRAGMA integrity_check').get() as { integrity_check: string }).integrity_check,
    }
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

/** The files and directories, by path, that anybody but their owner may look into. */
export function openToOthers(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .concat('.')
    .map((name) => join(directory, name))
    .filter((path) => {
      const found = lstatSync(path, { throwIfNoEntry: false })
      return found !== undefined && (found.mode & 0o077) !== 0
    })
}
