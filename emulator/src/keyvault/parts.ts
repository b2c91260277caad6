import type { EmulatorContext } from '../core/index.ts'
import type { Parts } from './call.ts'
import { createBackupBlobs } from './crypto/backup-blob.ts'
import { createLocalRbac } from './local-rbac/assignments.ts'
import { createAttestationTokens } from './release/attestation-token.ts'
import { createKeyState } from './state.ts'

const made = new WeakMap<EmulatorContext, Parts>()

/** What the data plane and the management of one emulator's keys work with: one set, however often it is asked for. */
export function keyVaultParts(ctx: EmulatorContext): Parts {
  const known = made.get(ctx)
  if (known !== undefined) return known
  const parts: Parts = {
    ctx,
    keys: createKeyState(ctx.store, ctx.clock),
    localRbac: createLocalRbac(ctx),
    attestationTokens: createAttestationTokens(ctx),
    backups: createBackupBlobs(ctx),
  }
  made.set(ctx, parts)
  return parts
}
