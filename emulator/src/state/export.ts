import { STATE_FORMAT, STATE_VERSION, type StateDocument } from './document.ts'
import type { OpenState } from './open.ts'
import { CLOCK, SEED } from './own.ts'

/** The whole state as it is at this moment. @param now by the machine's clock, milliseconds since the epoch */
export async function stateOf(state: OpenState, now: number): Promise<StateDocument> {
  // First, and at one moment: what is made while the files are read is a key too many, never one too few.
  const { [CLOCK]: _clock, [SEED]: _seed, ...collections } = state.store.contents()
  const names = await state.files.names()
  const files = await Promise.all(names.map(async (name) => [name, (await state.files.read(name)) ?? ''] as const))
  return {
    format: STATE_FORMAT,
    version: STATE_VERSION,
    exportedAt: new Date(now).toISOString(),
    clock: { time: new Date(state.clock.now()).toISOString(), offsetMs: state.offsetMs() },
    seed: state.seed,
    collections,
    files: Object.fromEntries(files),
  }
}
