import type { EmulatorContext } from '../core/index.ts'
import { SEED } from '../state/own.ts'
import { plantDirectory } from './directory.ts'
import { plantKeys, prepareKeys } from './keys.ts'
import type { ParsedSeed } from './parse.ts'
import { plantResources } from './resources.ts'
import { plantRoles } from './roles.ts'

/**
 * Makes everything of a seed exist, in one transaction: all of it or nothing. What exists stays as it is: principals and
 * identities are known by their name (or client id, where the seed gives one), all others by their own.
 * @throws SeedError
 */
export async function applySeed(ctx: EmulatorContext, seed: ParsedSeed): Promise<void> {
  // Keys take long to make: before the transaction, which cannot wait.
  const keys = await prepareKeys(ctx, seed)
  ctx.store.transaction(() => {
    const principals = plantDirectory(ctx, seed)
    plantResources(ctx, seed.document, principals)
    plantRoles(ctx, seed.document, principals)
    plantKeys(ctx, keys)
    ctx.store.collection<true>(SEED).put('sown', true)
  })
  ctx.journal.write({ service: 'emulator', operation: 'seed', outcome: 'done', summary: summaryOf(seed) })
}

/** Whether any seed, or a state in its place, was put in. */
export const isSown = ({ store }: EmulatorContext): boolean => store.collection<true>(SEED).has('sown')

function summaryOf({ document }: ParsedSeed): string {
  const counts = Object.entries(document).flatMap(([name, value]) =>
    Array.isArray(value) && value.length > 0 ? [`${value.length} ${name}`] : [],
  )
  return `The seed is in place: ${counts.join(', ') || 'tenant, subscription and administrator'}.`
}
