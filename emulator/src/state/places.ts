import { existsSync, rmdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/*
 * Where a data directory has what.
 */

/** Tenant, subscription and administrator. */
export const SEED_FILE = 'seed.json'
export const STORE_FILE = 'state.sqlite'
/** Folder of private keys and what belongs to them. */
export const KEYS_FOLDER = 'keys'
/** The document of an import that was decided on and is not finished. */
export const PENDING_FILE = 'import.json'

export function hasPendingImport(dataDir: string): boolean {
  return existsSync(join(dataDir, PENDING_FILE))
}

/**
 * Takes back a start on a data directory that held nothing before: what it left there, but for the lock.
 */
export function removeState(dataDir: string): void {
  const stores = ['', '-wal', '-shm'].map((end) => `${STORE_FILE}${end}`)
  for (const name of [...stores, SEED_FILE, PENDING_FILE, KEYS_FOLDER, 'authority', 'groups', 'journal.jsonl']) {
    rmSync(join(dataDir, name), { recursive: true, force: true })
  }
}

/** A directory that nothing is in. */
export function removeEmpty(directory: string): void {
  try {
    rmdirSync(directory)
  } catch {
    // Something is in it that was not ours.
  }
}

/** Whether anything was kept there yet. */
export function holdsState(dataDir: string): boolean {
  return [STORE_FILE, SEED_FILE, PENDING_FILE].some((name) => existsSync(join(dataDir, name)))
}
