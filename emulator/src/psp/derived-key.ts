import { hkdfSync } from 'node:crypto'
import { type DecodedKeyRequest, GUEST_FIELD } from '@skerry/guest/wire'
import type { LaunchedGuest } from './launch.ts'

export interface DerivationRoot {
  /** What the selected root key is made of. */
  readonly secret: Uint8Array
  /** 8 bytes: the TCB that a VCEK or VLEK is for; undefined for the VM root key. */
  readonly tcb?: Uint8Array
}

/**
 * The key of MSG_KEY_REQ, 32 bytes. Which fields are mixed in is the firmware's rule (AMD 56860, MSG_KEY_REQ): always the
 * root key, VMPL, field selection, host data and the digest of the author key, or else of the ID key; of the rest what is
 * selected. The firmware's derivation function takes secrets that nobody else has, so HKDF stands in for it.
 */
export function deriveKey(
  asked: DecodedKeyRequest,
  guest: LaunchedGuest,
  idKeyDigest: Uint8Array,
  root: DerivationRoot,
): Uint8Array {
  const selected = (bit: bigint, value: Uint8Array) =>
    (asked.guestFieldSelect & bit) === 0n ? new Uint8Array(value.length) : value
  const mixed = [
    u64(BigInt(asked.rootKeySelect)),
    u64(BigInt(asked.vmpl)),
    u64(asked.guestFieldSelect),
    guest.hostData,
    guest.authorKeyDigest ?? idKeyDigest,
    u64(guest.authorKeyDigest === undefined ? 1n : 2n),
    selected(GUEST_FIELD.policy, u64(guest.policy)),
    selected(GUEST_FIELD.imageId, guest.imageId),
    selected(GUEST_FIELD.familyId, guest.familyId),
    selected(GUEST_FIELD.measurement, guest.measurement),
    selected(GUEST_FIELD.guestSvn, u64(BigInt(asked.guestSvn))),
    selected(GUEST_FIELD.tcbVersion, asked.tcbVersion),
    selected(GUEST_FIELD.launchMitVector, u64(asked.launchMitVector)),
  ]
  const info = Buffer.concat([Buffer.from('gmsg-keyreq'), ...mixed])
  return new Uint8Array(hkdfSync('sha384', root.secret, root.tcb ?? new Uint8Array(8), info, 32))
}

function u64(value: bigint): Uint8Array {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(value)
  return bytes
}
