import { chmodSync, closeSync, existsSync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { HostError } from './errors.ts'

/**
 * The SQLite file of one task hub. Everything the host must not lose is in it: instances, histories, messages, entities,
 * timer statuses and keys; so that "append to the history and send what it decided" is one transaction.
 */
export interface HubFile {
  readonly db: DatabaseSync
  /** Runs `change` as one transaction (`BEGIN IMMEDIATE`): all of it is kept, or, when it throws, none. */
  transaction<T>(change: () => T): T
  close(): void
}

const SCHEMA_VERSION = 1

const SCHEMA = `
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS instances (
  id TEXT PRIMARY KEY, execution TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL, status TEXT NOT NULL,
  input TEXT, output TEXT, customStatus TEXT, parent TEXT, created INTEGER NOT NULL, updated INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS instancesByCreation ON instances (created, id);
CREATE TABLE IF NOT EXISTS history (
  instance TEXT NOT NULL, seq INTEGER NOT NULL, event TEXT NOT NULL, PRIMARY KEY (instance, seq)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS messages (
  id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, target TEXT NOT NULL, execution TEXT, taskId INTEGER,
  visibleAt INTEGER NOT NULL, payload TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS messagesByTarget ON messages (kind, target, visibleAt);
CREATE INDEX IF NOT EXISTS messagesByTime ON messages (visibleAt);
CREATE TABLE IF NOT EXISTS entities (
  id TEXT PRIMARY KEY, present INTEGER NOT NULL, state TEXT, lockedBy TEXT, lastOperation INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS schedules (name TEXT PRIMARY KEY, status TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS keys (scope TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (scope, name)) WITHOUT ROWID;
`

/** Opens (or makes) the hub's file in `dataDir`, and holds the directory; without `dataDir` the hub lives in memory. */
export function openHubFile(hubName: string, dataDir?: string): HubFile {
  const lock = dataDir === undefined ? undefined : holdDirectory(dataDir)
  try {
    const file = dataDir === undefined ? ':memory:' : privateFile(join(dataDir, `${hubName}.sqlite`))
    const db = new DatabaseSync(file)
    db.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=5000;')
    db.exec(SCHEMA)
    checkVersion(db, file)
    return {
      db,
      transaction: (change) => {
        db.exec('BEGIN IMMEDIATE')
        try {
          const result = change()
          db.exec('COMMIT')
          return result
        } catch (error) {
          db.exec('ROLLBACK')
          throw error
        }
      },
      close: () => {
        db.close()
        lock?.close()
      },
    }
  } catch (error) {
    lock?.close()
    throw error
  }
}

/**
 * Only one host may run on a directory. The lock is SQLite's own (an operating-system lock on a file), so that it is
 * gone the moment its process is, `kill -9` included, and a process number that was used again cannot confuse it.
 */
function holdDirectory(dataDir: string): DatabaseSync {
  const file = privateFile(join(dataDir, 'host.lock'))
  const lock = new DatabaseSync(file)
  try {
    lock.exec('PRAGMA busy_timeout=0; PRAGMA journal_mode=DELETE;')
    lock.exec('BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS owner (pid INTEGER); DELETE FROM owner')
    lock.prepare('INSERT INTO owner VALUES (?)').run(process.pid)
    // Committed so that the one who is refused can say by whom; taken again at once, and kept for life.
    lock.exec('COMMIT; BEGIN IMMEDIATE')
    return lock
  } catch (error) {
    const holder = ownerOf(lock)
    lock.close()
    if (!(error instanceof Error) || !/locked|busy/i.test(error.message)) throw error
    const who = holder === undefined ? 'another host' : `another host (process ${holder})`
    throw new HostError('ERR_HOST_DATA_IN_USE', `the data directory ${dataDir} is in use by ${who}`, { cause: error })
  }
}

function ownerOf(lock: DatabaseSync): number | undefined {
  try {
    return lock.prepare('SELECT pid FROM owner').get()?.pid as number | undefined
  } catch {
    return undefined
  }
}

function checkVersion(db: DatabaseSync, file: string): void {
  db.prepare('INSERT OR IGNORE INTO meta VALUES (?, ?)').run('schemaVersion', String(SCHEMA_VERSION))
  const found = db.prepare('SELECT value FROM meta WHERE name = ?').get('schemaVersion')?.value
  if (found === String(SCHEMA_VERSION)) return
  db.close()
  throw new HostError('ERR_HOST_CONFIG', `${file} has schema version ${found}; this host knows ${SCHEMA_VERSION}`)
}

/** Mode 0600 before anything is in it; SQLite gives its -wal and -shm files the same mode. */
function privateFile(file: string): string {
  mkdirSync(join(file, '..'), { recursive: true, mode: 0o700 })
  if (!existsSync(file)) closeSync(openSync(file, 'a', 0o600))
  chmodSync(file, 0o600)
  return file
}
