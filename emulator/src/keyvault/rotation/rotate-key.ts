import { type EmulatorContext, epochSeconds, type VaultRecord } from '../../core/index.ts'
import { makeKey } from '../crypto/material.ts'
import { addDuration } from '../rules/duration.ts'
import { settleKeySpec } from '../rules/key-types.ts'
import { keyStoreOf, requireRoomForVersion } from '../rules/vault-rules.ts'
import type { KeyRecord, KeyState, KeyVersion } from '../state.ts'

export interface RotationParts {
  readonly ctx: Pick<EmulatorContext, 'clock' | 'random'>
  readonly keys: KeyState
}

/**
 * Makes the next version of a key, on demand or because its policy says so: of the same type, size and curve, with the
 * operations and tags of the one before, expiring as the policy says. Release policy and exportability belong to the key
 * and stay as they are.
 *
 * Making a key takes its time. `stillWanted` sees the key as it is when the version is put in its place, in the same
 * transaction: it returns it, or throws so that nothing comes of it.
 */
export async function rotateKey(
  { ctx, keys }: RotationParts,
  vault: VaultRecord,
  key: KeyRecord,
  stillWanted: (current: KeyRecord | undefined) => KeyRecord,
): Promise<{ readonly key: KeyRecord; readonly version: KeyVersion }> {
  const latest = key.versions.at(-1)!
  const { e, crv } = latest.publicJwk
  const spec = settleKeySpec(
    { kty: latest.kty, keySize: latest.keySize, curve: crv, exponent: exponentOf(e) },
    keyStoreOf(vault),
  )
  const made = await makeKey(spec, ctx.random)
  const created = epochSeconds(ctx.clock)
  const expiryTime = key.rotationPolicy?.expiryTime
  const version: KeyVersion = {
    version: ctx.random.uuid().replaceAll('-', ''),
    kty: made.kty,
    keyOps: latest.keyOps,
    publicJwk: made.publicJwk,
    ...(made.keySize === undefined ? {} : { keySize: made.keySize }),
    enabled: true,
    ...(expiryTime === undefined ? {} : { expires: addDuration(created, expiryTime) }),
    created,
    updated: created,
    ...(latest.tags === undefined ? {} : { tags: latest.tags }),
  }
  const rotated = keys.addVersion(key.host, key.name, version, made.material, (current) => {
    const wanted = stillWanted(current)
    requireRoomForVersion(vault, wanted)
    return { ...wanted, versions: [...wanted.versions, version] }
  })
  return { key: rotated, version }
}

/** The public exponent of a JWK; undefined for one that no generator would take, which leaves it at 65537. */
function exponentOf(e: string | undefined): number | undefined {
  if (e === undefined) return undefined
  const value = Number.parseInt(Buffer.from(e, 'base64url').toString('hex'), 16)
  return value < 2 ** 32 ? value : undefined
}
