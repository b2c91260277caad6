import { join } from 'node:path'
import {
  type Clock,
  directoryFiles,
  disposableFiles,
  keyCacheOver,
  type MovableClock,
  memoryFiles,
  openStore,
  type PrivateFiles,
  type Seed,
  type Store,
  systemClock,
  withMachineKeys,
} from '../core/index.ts'
import type { StateDocument } from './document.ts'
import { CLOCK, continued } from './own.ts'
import { hasPendingImport, KEYS_FOLDER, SEED_FILE, STORE_FILE } from './places.ts'

/** What an instance keeps, opened: in a data directory, or in memory. */
export interface OpenState extends Disposable {
  readonly store: Store
  /** Of the instance, with those of the machine that it uses. */
  readonly files: PrivateFiles
  readonly keys: ReturnType<typeof keyCacheOver>
  readonly seed: Seed
  readonly clock: Clock
  /** Moves the clock forward, after having noted how far. @throws TypeError when the clock cannot be moved */
  advance(ms: number): Promise<void>
  /** By how much the clock is ahead of the machine's; 0 for one that was given. Milliseconds. */
  offsetMs(): number
}

export interface OpenStateOptions {
  readonly dataDir: string | undefined
  readonly cacheDir: string
  /** What is in a data directory already stays; anything that contradicts it is an error. */
  readonly seed: Seed
  /** Instead of the system's. */
  readonly clock?: Clock | undefined
  /** What an instance in memory starts with. */
  readonly state?: StateDocument | undefined
  /** Told in words when the machine's cache of keys cannot be used. */
  readonly unusable: (reason: string) => void
}

export async function openState(options: OpenStateOptions): Promise<OpenState> {
  const { dataDir, state } = options
  if (dataDir !== undefined) await finishImport(dataDir)
  const store = openStore(dataDir === undefined ? undefined : join(dataDir, STORE_FILE))
  try {
    if (state !== undefined) store.replace(continued(state))
    const machine = disposableFiles(join(options.cacheDir, 'keys'), options.unusable)
    // RSA keys that take long to make belong to the machine; those of an instance without a directory, whatever their size.
    const files =
      dataDir === undefined
        ? withMachineKeys(memoryFiles(state?.files), machine, 2048)
        : withMachineKeys(directoryFiles(join(dataDir, KEYS_FOLDER)), machine, 3072)
    const seed = state?.seed ?? (await keptSeed(dataDir, options.seed))
    const offsets = store.collection<number>(CLOCK)
    const ownClock = options.clock === undefined ? systemClock(offsets.get('offsetMs') ?? 0) : undefined
    const clock = options.clock ?? ownClock!
    if (state !== undefined) await catchUp(clock, Date.parse(state.clock.time))
    return {
      store,
      files,
      keys: keyCacheOver(files),
      seed,
      clock,
      async advance(ms) {
        if (!isMovable(clock)) throw new TypeError('the clock of this emulator was given to it and cannot be moved')
        // Noted first: a restart never takes back a time that was answered with.
        if (ownClock !== undefined && ms > 0) offsets.put('offsetMs', ownClock.offsetMs + ms)
        await clock.advance(ms)
      },
      offsetMs: () => ownClock?.offsetMs ?? 0,
      [Symbol.dispose]: () => store.close(),
    }
  } catch (error) {
    store.close()
    throw error
  }
}

/** One that was cut short by a kill is finished before anything is read. Loaded only then. */
async function finishImport(dataDir: string): Promise<void> {
  if (!hasPendingImport(dataDir)) return
  const { applyPendingImport } = await import('./import.ts')
  await applyPendingImport(dataDir)
}

/** Tenant and administrator of a data directory stay the same, since what is stored there names them. */
async function keptSeed(dataDir: string | undefined, made: Seed): Promise<Seed> {
  if (dataDir === undefined) return made
  return JSON.parse(await directoryFiles(dataDir).writeOnce(SEED_FILE, JSON.stringify(made, null, 2))) as Seed
}

/** Time does not run backwards for a state that was exported later than a clock that was given says. */
async function catchUp(clock: Clock, time: number): Promise<void> {
  const behind = time - clock.now()
  if (behind > 0 && isMovable(clock)) await clock.advance(behind)
}

function isMovable(clock: Clock): clock is MovableClock {
  return 'advance' in clock
}
