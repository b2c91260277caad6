import type { EmulatorContext, Seed } from '../core/index.ts'
import { applySeed, isSown } from './apply.ts'
import { SeedError } from './error.ts'
import type { ParsedSeed } from './parse.ts'
import type { SeedDocument } from './schema.ts'

/** A seed that an emulator is started with. */
export interface SownSeed {
  readonly document: SeedDocument
  /** @throws SeedError where the seed says something else than what is kept already */
  requireAgreement(kept: Seed): void
  apply(context: EmulatorContext): Promise<void>
}

/** @param once only where nothing was put in before */
export function sownSeed(seed: ParsedSeed, once = false): SownSeed {
  const { document } = seed
  return {
    document,
    requireAgreement(kept) {
      const { tenantId, subscriptionId, admin = {} } = document
      const wanted = [
        [['tenantId'], tenantId, kept.tenantId],
        [['subscriptionId'], subscriptionId, kept.subscriptionId],
        [['admin', 'clientId'], admin.clientId, kept.admin.clientId],
        [['admin', 'objectId'], admin.objectId, kept.admin.objectId],
      ] as const
      for (const [path, seeded, there] of wanted) {
        if (seeded !== undefined && seeded.toLowerCase() !== there.toLowerCase()) {
          throw new SeedError(path, `the state that is there already has ${there}`)
        }
      }
      if (admin.clientSecret !== undefined && admin.clientSecret !== kept.admin.clientSecret) {
        throw new SeedError(['admin', 'clientSecret'], 'the state that is there already has another one')
      }
    },
    async apply(context) {
      if (!once || !isSown(context)) await applySeed(context, seed)
    },
  }
}
