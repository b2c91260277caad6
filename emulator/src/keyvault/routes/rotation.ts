import { epochSeconds } from '../../core/index.ts'
import { type Call, ok, type Reply } from '../call.ts'
import { settleRotationPolicy } from '../rules/rotation-policy.ts'
import type { KeyRecord } from '../state.ts'
import { readRotationPolicy } from './bodies.ts'
import { journalDone, requireKey } from './lookup.ts'

/** Reading and writing a key's rotation policy. What it brings about is the business of `rotation/`. */

export function getRotationPolicy(call: Call): Reply {
  const key = requireKey(call)
  return ok(call.personality.rotationPolicy(call, key, key.rotationPolicy))
}

export async function putRotationPolicy(call: Call): Promise<Reply> {
  const wanted = readRotationPolicy(await call.body())
  const key = requireKey(call)
  const now = epochSeconds(call.parts.ctx.clock)
  const settled = settleRotationPolicy(wanted, call.vault.kind, {
    created: key.rotationPolicy?.created ?? now,
    updated: now,
  })
  const { rotationPolicy: _, ...bare } = key
  // On a managed HSM, putting an empty policy takes it away.
  const empty = settled.lifetimeActions.length === 0 && settled.expiryTime === undefined
  const changed: KeyRecord = empty ? bare : { ...bare, rotationPolicy: settled }
  call.parts.keys.put(changed)
  journalDone(call, 'putRotationPolicy', `${call.origin}/keys/${key.name}`, `${key.name} has a new rotation policy.`)
  return ok(call.personality.rotationPolicy(call, changed, changed.rotationPolicy))
}
