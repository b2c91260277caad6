import { hash } from 'node:crypto'

/**
 * Keeps what was worked out from a piece of evidence, by the SHA-256 of its bytes; the least recently used goes first.
 * A guest sends the same certificates and the same endorsement with every report.
 */
export interface BoundedCache<Value> {
  get(evidence: Uint8Array | string, workOut: () => Value): Value
}

export function boundedCache<Value>(limit: number): BoundedCache<Value> {
  const kept = new Map<string, Value>()
  return {
    get(evidence, workOut) {
      const key = hash('sha256', evidence, 'base64')
      const value = kept.get(key) ?? workOut()
      kept.delete(key)
      kept.set(key, value)
      if (kept.size > limit) kept.delete(kept.keys().next().value!)
      return value
    },
  }
}
