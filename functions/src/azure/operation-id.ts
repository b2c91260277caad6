import { createHash } from 'node:crypto'

/** The tag that says which deployment made a resource: how a repeated activity finds what it already did. */
export const DEPLOYMENT_TAG = 'skerry-deployment'
/** The tag on a key version that says which run of an orchestration made it. */
export const OPERATION_TAG = 'skerry-operation'

/**
 * A name-based UUID (version 8, RFC 9562 5.8: SHA-256 of the parts), the same for the same parts. Role assignments are
 * named by GUID; a name that follows from scope, principal and role makes the call safe to repeat.
 */
export function nameBasedUuid(...parts: readonly string[]): string {
  const hash = createHash('sha256').update(parts.join('\n')).digest()
  hash[6] = (hash[6]! & 0x0f) | 0x80
  hash[8] = (hash[8]! & 0x3f) | 0x80
  const hex = hash.toString('hex', 0, 16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
