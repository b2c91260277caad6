import { createSeed, lockDataDirectory, systemClock, systemRandom } from '../core/index.ts'
import type { StateDocument } from './document.ts'
import { StateError } from './error.ts'
import { stateOf } from './export.ts'
import { openState } from './open.ts'
import { holdsState } from './places.ts'

/**
 * The state of a data directory that no instance has.
 * @throws DataDirectoryInUseError, StateError when there is none
 */
export async function exportDirectory(dataDir: string, cacheDir: string): Promise<StateDocument> {
  if (!holdsState(dataDir)) throw new StateError(`${dataDir} holds no state`)
  using _lock = lockDataDirectory(dataDir)
  using state = await openState({ dataDir, cacheDir, seed: createSeed(systemRandom()), unusable: () => {} })
  return await stateOf(state, systemClock().now())
}
