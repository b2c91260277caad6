import { existsSync } from 'node:fs'
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

/** Whether anything was kept there yet. */
export function holdsState(dataDir: string): boolean {
  return [STORE_FILE, SEED_FILE, PENDING_FILE].some((name) => existsSync(join(dataDir, name)))
}
