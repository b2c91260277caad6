import type { KeyObject } from 'node:crypto'
import type { EmulatorContext } from '../../core/index.ts'
import { type AuthorityKeys, fetchAuthorityKeys } from './authority-metadata.ts'

export interface AuthorityKeyCache {
  /**
   * The key that an issuer publishes under a `kid`; `ambiguous` when it publishes two.
   * @throws AuthorityProblem when its keys cannot be had
   */
  find(issuer: string, kid: string): Promise<KeyObject | 'ambiguous' | undefined>
}

/** Keys are asked for again after this long. */
const LIFETIME_MS = 300_000

/**
 * A `kid` that is not among the keys may be new, so they are asked for again; but not more often than this, whatever
 * tokens come: nobody can make the vault knock at somebody else's door.
 */
const COOLDOWN_MS = 10_000

/** Issuers that are remembered; the one unused for longest goes first. */
const MOST_ISSUERS = 64

interface Known {
  readonly keys: AuthorityKeys
  readonly fetchedAtMs: number
}

/** One question at a time for each issuer, whoever waits for it. What failed is not remembered: the next one asks again. */
export function createAuthorityKeyCache(ctx: EmulatorContext): AuthorityKeyCache {
  const known = new Map<string, Known>()
  const asking = new Map<string, Promise<Known>>()

  const ask = async (issuer: string): Promise<Known> => {
    const keys = await fetchAuthorityKeys(ctx, issuer)
    const answer = { keys, fetchedAtMs: ctx.clock.now() }
    known.delete(issuer)
    known.set(issuer, answer)
    const [oldest] = known.keys()
    if (known.size > MOST_ISSUERS && oldest !== undefined) known.delete(oldest)
    return answer
  }
  const askOnce = (issuer: string): Promise<Known> => {
    const question = asking.get(issuer) ?? ask(issuer).finally(() => asking.delete(issuer))
    asking.set(issuer, question)
    return question
  }
  const notOlderThan = async (issuer: string, ageMs: number): Promise<Known> => {
    const cached = known.get(issuer)
    if (cached === undefined || ctx.clock.now() - cached.fetchedAtMs >= ageMs) return await askOnce(issuer)
    known.delete(issuer)
    known.set(issuer, cached)
    return cached
  }

  return {
    async find(issuer, kid) {
      const key = (await notOlderThan(issuer, LIFETIME_MS)).keys.get(kid)
      return key ?? (await notOlderThan(issuer, COOLDOWN_MS)).keys.get(kid)
    },
  }
}
