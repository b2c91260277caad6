import { existsSync } from 'node:fs'
import { lockDataDirectory } from './core/index.ts'
import type { ParsedSeed, SeedDocument, SownSeed } from './seed/index.ts'
import { type StateDocument, StateExistsError } from './state/index.ts'
import { holdsState, removeEmpty, removeState } from './state/places.ts'

/*
 * What an emulator starts with and on. What few starts need is loaded only by those.
 */

/** Where an emulator's state is kept, and what is in it at the start. */
export interface StartOptions {
  /** Where state, keys and journal are kept; absent: in memory, gone with the emulator. */
  readonly dataDir?: string
  /**
   * What exists from the start, beside tenant and administrator: the content of a seed file (SEED.md). Made whole or not
   * at all; what exists in a data directory already stays. Its settings yield to `settings`.
   * @throws SeedError from `createEmulator`
   */
  readonly seedDocument?: SeedDocument
  /** The same from a file, which may name others. */
  readonly seedFile?: string
  /** The same, as `readSeedFile` gave it. */
  readonly parsedSeed?: ParsedSeed
  /** Where there is no other seed, and a data directory was never given one or a state: what exists then. */
  readonly defaultSeed?: SeedDocument
  /**
   * What the instance starts with, as `exportState` gave it; over `seed`. A data directory must not hold a state yet.
   * @throws StateError, StateExistsError from `createEmulator`
   */
  readonly state?: StateDocument
  /** The same from a file, as `skerry state export` wrote it. */
  readonly stateFile?: string
}

/** Takes a data directory. One that held nothing is as it was before when the start does not come to its end. */
export function firstStart(dataDir: string, cleanup: AsyncDisposableStack): { keep(): void } {
  const isNew = !existsSync(dataDir)
  let isFirst = !holdsState(dataDir)
  cleanup.defer(() => {
    if (isFirst && isNew) removeEmpty(dataDir)
  })
  cleanup.use(lockDataDirectory(dataDir))
  cleanup.defer(() => {
    if (isFirst) removeState(dataDir)
  })
  return {
    keep() {
      isFirst = false
    },
  }
}

/** Loaded only where there is a seed. @throws SeedError */
export async function givenSeed(options: StartOptions): Promise<SownSeed | undefined> {
  const { seedDocument, seedFile, parsedSeed, defaultSeed } = options
  if ((parsedSeed ?? seedFile ?? seedDocument ?? defaultSeed) === undefined) return undefined
  const { parseSeed, readSeedFile, sownSeed } = await import('./seed/index.ts')
  if (parsedSeed !== undefined) return sownSeed(parsedSeed)
  if (seedFile !== undefined) return sownSeed(readSeedFile(seedFile))
  return seedDocument === undefined ? sownSeed(parseSeed(defaultSeed), true) : sownSeed(parseSeed(seedDocument))
}

/** What to start with, if anything was given; in a data directory it is in place then. */
export async function initialState(
  { state, stateFile, dataDir }: StartOptions,
  sown: SownSeed | undefined,
): Promise<StateDocument | undefined> {
  if (state === undefined && stateFile === undefined) return undefined
  const [{ checkState }, { readStateFile }] = await Promise.all([
    import('./state/check.ts'),
    import('./state/parse.ts'),
  ])
  const document = stateFile === undefined ? checkState(state) : readStateFile(stateFile)
  sown?.requireAgreement(document.seed)
  if (dataDir === undefined) return document
  if (holdsState(dataDir)) throw new StateExistsError(dataDir)
  const { announceImport } = await import('./state/import.ts')
  await announceImport(dataDir, document)
  return undefined
}
