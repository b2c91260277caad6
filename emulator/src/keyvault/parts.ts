import type { EmulatorContext } from '../core/index.ts'
import { eventsOf, keyEventFacts } from '../events/index.ts'
import type { Parts } from './call.ts'
import { createBackupBlobs } from './crypto/backup-blob.ts'
import { createLocalRbac } from './local-rbac/assignments.ts'
import { createAttestationTokens } from './release/attestation-token.ts'
import { createKeyLifecycle } from './rotation/lifecycle.ts'
import { createKeyState } from './state.ts'

const made = new WeakMap<EmulatorContext, Parts>()

/** What the data plane and the management of one emulator's keys work with: one set, however often it is asked for. */
export function keyVaultParts(ctx: EmulatorContext): Parts {
  const known = made.get(ctx)
  if (known !== undefined) return known
  const events = eventsOf(ctx)
  const lifecycle = createKeyLifecycle(ctx, createKeyState(ctx.store, ctx.clock), (news, vault, { name }, version) =>
    events.publish(keyEventFacts(news, vault, name, version)),
  )
  const parts: Parts = {
    ctx,
    keys: lifecycle.keys,
    lifecycle,
    localRbac: createLocalRbac(ctx),
    attestationTokens: createAttestationTokens(ctx),
    backups: createBackupBlobs(ctx),
  }
  made.set(ctx, parts)
  return parts
}
