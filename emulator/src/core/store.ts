import { chmodSync, closeSync, existsSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { DocumentCache, type SharedDocuments } from './document-cache.ts'

/**
 * Where the services keep what they answered with 2xx: named collections of JSON documents.
 * In memory, or in one SQLite file of mode 0600 (write-ahead log, `synchronous=FULL`), so that what was committed is
 * there after a `kill -9` and nothing is half written.
 */
export interface Store {
  /** The collection of that name; made at first use. Its documents must survive `JSON.stringify`. */
  collection<T>(name: string): Collection<T>
  /** The same documents for those who only read, and often. */
  shared<T>(name: string): SharedDocuments<T>
  /**
   * The documents of a collection that have a member (a path: `deleted.recoveredAt`) and those that have not, each to be
   * read page by page: an index of the database keeps them apart.
   */
  split<T>(name: string, member: string): { readonly having: Pages<T>; readonly lacking: Pages<T> }
  /** Runs `change` as one transaction: all of it is kept, or (when it throws) none. Calls may nest. Synchronous. */
  transaction<T>(change: () => T): T
  /** Calls `changed` after each committed change of one of these collections, until disposed of. */
  watch(collections: readonly string[], changed: () => void): Disposable
  /** Every collection that holds anything, by name. */
  contents(): StoreContents
  /** Puts these documents in the place of all there are, as one transaction. */
  replace(contents: StoreContents): void
  close(): void
}

/** All documents of a store: collection, then key. */
export type StoreContents = Readonly<Record<string, Readonly<Record<string, unknown>>>>

/** Documents by key. Keys compare exactly; a service that compares without case lowers them itself. */
export interface Collection<T> extends Pages<T> {
  get(key: string): T | undefined
  has(key: string): boolean
  put(key: string, value: T): void
  delete(key: string): boolean
  /** All entries whose key starts with `prefix`, in key order. */
  entries(prefix?: string): [key: string, value: T][]
  values(prefix?: string): T[]
}

export interface Pages<T> {
  /**
   * The first `limit` of the values whose key starts with `prefix` and is not before `prefix` + `from`, in key order. Costs
   * what it gives, however many there are.
   */
  page(prefix: string, from: string, limit: number): T[]
}

/** Opens a store. Without `file` it lives in memory and is gone when closed. */
export function openStore(file?: string): Store {
  if (file !== undefined) createPrivateFile(file)
  const db = new DatabaseSync(file ?? ':memory:')
  // A document that takes more than a quarter of a page is given pages of its own. In memory nothing else speaks for small ones.
  if (file === undefined) db.exec('PRAGMA page_size=16384')
  db.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=5000;')
  db.exec(
    'CREATE TABLE IF NOT EXISTS documents (collection TEXT, key TEXT, value TEXT, PRIMARY KEY (collection, key)) WITHOUT ROWID',
  )
  const get = db.prepare('SELECT value FROM documents WHERE collection = ? AND key = ?')
  const put = db.prepare('INSERT INTO documents VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value')
  const remove = db.prepare('DELETE FROM documents WHERE collection = ? AND key = ?')
  const range = db.prepare(
    'SELECT key, value FROM documents WHERE collection = ? AND key >= ? AND key < ? ORDER BY key',
  )
  const page = db.prepare(
    'SELECT value FROM documents WHERE collection = ? AND key >= ? AND key < ? ORDER BY key LIMIT ?',
  )
  const everything = db.prepare('SELECT collection, key, value FROM documents ORDER BY collection, key')
  const names = db.prepare('SELECT DISTINCT collection AS name FROM documents')
  const removeEverything = db.prepare('DELETE FROM documents')
  const watchers = new Set<{ readonly collections: readonly string[]; readonly changed: () => void }>()
  const touched = new Set<string>()
  const caches = new Map<string, DocumentCache>()
  let depth = 0

  /** Outside a transaction each statement commits by itself. */
  const touch = (name: string, key: string) => {
    touched.add(name)
    caches.get(name)?.forget(key)
    if (depth === 0) tellWatchers()
  }
  const tellWatchers = () => {
    const names = [...touched]
    touched.clear()
    for (const { collections, changed } of watchers) if (collections.some((name) => names.includes(name))) changed()
  }

  const collection = <T>(name: string): Collection<T> => ({
    get(key) {
      const row = get.get(name, key)
      return row === undefined ? undefined : (JSON.parse(row.value as string) as T)
    },
    has: (key) => get.get(name, key) !== undefined,
    put(key, value) {
      put.run(name, key, JSON.stringify(value))
      touch(name, key)
    },
    delete(key) {
      const gone = remove.run(name, key).changes > 0
      if (gone) touch(name, key)
      return gone
    },
    entries: (prefix = '') =>
      range
        .all(name, prefix, `${prefix}\u{10ffff}`)
        .map((row) => [row.key as string, JSON.parse(row.value as string) as T]),
    values: (prefix = '') =>
      range.all(name, prefix, `${prefix}\u{10ffff}`).map((row) => JSON.parse(row.value as string) as T),
    page: (prefix, from, limit) =>
      page
        .all(name, `${prefix}${from}`, `${prefix}\u{10ffff}`, limit)
        .map((row) => JSON.parse(row.value as string) as T),
  })

  const split = <T>(name: string, member: string) => {
    const [ofCollection, path] = [`collection = ${literal(name)}`, literal(`$.${member}`)]
    const lacks = `(json_type(value, ${path}) IS NULL)`
    const index = `"${name} by ${member}"`
    db.exec(`CREATE INDEX IF NOT EXISTS ${index} ON documents (${lacks}, key) WHERE ${ofCollection}`)
    const pagesOf = (lacking: 0 | 1): Pages<T> => {
      const page = db.prepare(
        // Left to itself SQLite goes through the whole collection.
        `SELECT value FROM documents INDEXED BY ${index} WHERE ${ofCollection} AND ${lacks} = ${lacking} AND key >= ? AND key < ? ORDER BY key LIMIT ?`,
      )
      return {
        page: (prefix, from, limit) =>
          page.all(`${prefix}${from}`, `${prefix}\u{10ffff}`, limit).map((row) => JSON.parse(row.value as string) as T),
      }
    }
    return { having: pagesOf(0), lacking: pagesOf(1) }
  }

  const shared = <T>(name: string): SharedDocuments<T> => {
    const { get, values } = collection<T>(name)
    const cache = caches.get(name) ?? new DocumentCache()
    caches.set(name, cache)
    return {
      get: (key) => cache.document(key, () => get(key)) as T | undefined,
      values: (prefix = '') => cache.list(prefix, () => values(prefix)) as readonly T[],
    }
  }
  const forgetAll = () => {
    for (const cache of caches.values()) cache.clear()
  }

  const transaction = <T>(change: () => T): T => {
    if (depth > 0) return change()
    db.exec('BEGIN IMMEDIATE')
    depth += 1
    let result: T
    try {
      result = change()
      db.exec('COMMIT')
    } catch (error) {
      db.exec('ROLLBACK')
      touched.clear()
      forgetAll()
      throw error
    } finally {
      depth -= 1
    }
    tellWatchers()
    return result
  }

  return {
    collection,
    shared,
    split,
    transaction,
    watch(collections, changed) {
      const watcher = { collections, changed }
      watchers.add(watcher)
      return { [Symbol.dispose]: () => void watchers.delete(watcher) }
    },
    contents() {
      const contents = new Map<string, Map<string, unknown>>()
      for (const row of everything.iterate()) {
        const name = row.collection as string
        const documents = contents.get(name) ?? new Map<string, unknown>()
        contents.set(name, documents.set(row.key as string, JSON.parse(row.value as string)))
      }
      return Object.fromEntries([...contents].map(([name, documents]) => [name, Object.fromEntries(documents)]))
    },
    replace: (contents) =>
      transaction(() => {
        for (const { name } of names.all()) touched.add(name as string)
        removeEverything.run()
        forgetAll()
        for (const [name, documents] of Object.entries(contents)) {
          for (const [key, value] of Object.entries(documents)) collection(name).put(key, value)
        }
      }),
    close: () => db.close(),
  }
}

/** A word of ours in a statement, where SQLite takes no parameter. */
function literal(text: string): string {
  if (!/^[\w.$]+$/.test(text)) throw new Error(`${text} cannot stand in a statement`)
  return `'${text}'`
}

/** SQLite gives its -wal and -shm files the mode of the database, so that one file made private keeps all three so. */
function createPrivateFile(file: string): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  if (!existsSync(file)) closeSync(openSync(file, 'wx', 0o600))
  chmodSync(file, 0o600)
}
