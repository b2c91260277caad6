import { type Call, ok, type Reply } from '../call.ts'
import { badParameter } from '../errors.ts'
import { keyId } from '../personality/views.ts'
import { rotateKey } from '../rotation/rotate-key.ts'
import { journalDone, requireKey } from './lookup.ts'

/** Rotation on demand. A vault needs no policy for it. */
export async function rotate(call: Call): Promise<Reply> {
  const key = requireKey(call, { rotating: true })
  if (call.vault.kind === 'managedHsm' && key.rotationPolicy === undefined) {
    // "Configure key auto-rotation in Azure Managed HSM": the policy must be set first. The words are our own.
    throw badParameter(`Key ${key.name} has no rotation policy. Set one before it is rotated on demand.`)
  }
  const rotated = await rotateKey(call.parts, call.vault, key, (current) => {
    if (current === undefined || current.deleted) throw call.personality.says.keyNotFound(call, key.name)
    return current
  })
  journalDone(call, 'rotateKey', keyId(call, rotated.key, rotated.version), `${key.name} has a new version.`)
  return ok(call.personality.keyBundle(call, rotated.key, rotated.version))
}
