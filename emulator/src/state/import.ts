import { join } from 'node:path'
import { directoryFiles, lockDataDirectory, openStore } from '../core/index.ts'
import type { StateDocument } from './document.ts'
import { continued } from './own.ts'
import { parseState } from './parse.ts'
import { KEYS_FOLDER, PENDING_FILE, SEED_FILE, STORE_FILE } from './places.ts'

/*
 * An import into a data directory happens at one moment: when its document appears there as a whole, under the name of a
 * pending import. What follows can be cut short by a kill at any point and is done again, from the start, by whoever opens
 * the directory next; until then nothing else reads it.
 */

/**
 * Puts a state in the place of the one that a data directory holds; makes the directory where there is none.
 * @throws DataDirectoryInUseError while an instance runs on it
 */
export async function importState(dataDir: string, state: StateDocument): Promise<void> {
  using _lock = lockDataDirectory(dataDir)
  await announceImport(dataDir, state)
  await applyPendingImport(dataDir)
}

/** From here on the directory has the new state; the caller holds its lock. */
export async function announceImport(dataDir: string, state: StateDocument): Promise<void> {
  await directoryFiles(dataDir).write(PENDING_FILE, JSON.stringify(state))
}

export async function applyPendingImport(dataDir: string): Promise<void> {
  const folder = directoryFiles(dataDir)
  const text = await folder.read(PENDING_FILE)
  if (text === undefined) return
  const state = parseState(Buffer.from(text))
  await folder.write(SEED_FILE, JSON.stringify(state.seed, null, 2))
  const keys = directoryFiles(join(dataDir, KEYS_FOLDER))
  for (const [name, content] of Object.entries(state.files)) await keys.write(name, content)
  for (const name of await keys.names()) if (!Object.hasOwn(state.files, name)) await keys.remove(name)
  const store = openStore(join(dataDir, STORE_FILE))
  try {
    store.replace(continued(state))
  } finally {
    store.close()
  }
  await folder.remove(PENDING_FILE)
}
