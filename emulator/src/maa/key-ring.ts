import { type EmulatorContext, parseDuration } from '../core/index.ts'

/*
 * Which signing key holds when. Keys are told apart by their generation; a key that no longer signs stays published until
 * every token that it signed has expired.
 */

/** The document `ring` in the collection `attestation.signingKeys`. Times are milliseconds since the epoch. */
export interface KeyRing {
  /** Of the key that signs. */
  readonly generation: number
  readonly sinceMs: number
  /** The latest first. */
  readonly retired: readonly { readonly generation: number; readonly untilMs: number }[]
}

const HOUR_MS = 3600_000

/** How long a retired key stays published: longer than the 8 hours of a token, since clients keep key sets, too. */
export const PUBLISHED_MS = 24 * HOUR_MS

const NAME = 'ring'

/**
 * The ring at this time of the clock. With the setting `attestation.signingKeyLifetime` a key gives way to the next when its time is
 * over, whether or not anybody asked in the meantime.
 */
export function currentRing(ctx: EmulatorContext): KeyRing {
  const now = ctx.clock.now()
  const kept = ctx.store.shared<KeyRing>('attestation.signingKeys').get(NAME)
  const stored = kept ?? { generation: 0, sinceMs: now, retired: [] }
  const lifetime = ctx.settings.attestation.signingKeyLifetime
  const ring = pruned(lifetime === undefined ? stored : scheduled(stored, lifetime, now), now)
  if (kept === undefined || ring.generation !== kept.generation || ring.retired.length !== kept.retired.length) {
    ctx.store.collection<KeyRing>('attestation.signingKeys').put(NAME, ring)
  }
  return ring
}

/** Has a new key sign from now on. */
export function rollSigningKey(ctx: EmulatorContext): KeyRing {
  const ring = next(currentRing(ctx), ctx.clock.now())
  ctx.store.collection<KeyRing>('attestation.signingKeys').put(NAME, ring)
  ctx.journal.write({
    service: 'maa',
    operation: 'rollSigningKey',
    outcome: 'done',
    summary: `tokens are signed by a new key; the one before stays published for ${PUBLISHED_MS / HOUR_MS} hours`,
  })
  return ring
}

function next({ generation, retired }: KeyRing, atMs: number): KeyRing {
  return {
    generation: generation + 1,
    sinceMs: atMs,
    retired: [{ generation, untilMs: atMs + PUBLISHED_MS }, ...retired],
  }
}

/** Each change at its own time: nobody was there to see those in between, and their keys signed nothing. */
function scheduled(ring: KeyRing, lifetime: string, now: number): KeyRing {
  let current = ring
  for (;;) {
    const length = Math.max(parseDuration(lifetime, current.sinceMs) ?? Infinity, HOUR_MS)
    const end = current.sinceMs + length
    if (!(end <= now)) return current
    // Far behind: the changes in between are of no account.
    const skipped = Math.max(0, Math.floor((now - end - PUBLISHED_MS) / length))
    current = next({ ...current, generation: current.generation + skipped }, end + skipped * length)
  }
}

function pruned(ring: KeyRing, now: number): KeyRing {
  return { ...ring, retired: ring.retired.filter(({ untilMs }) => untilMs > now) }
}
