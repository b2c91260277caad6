import type { KeyObject } from 'node:crypto'
import { type EmulatorContext, epochSeconds, isLoopback, type JournalCondition, verifiesJws } from '../../core/index.ts'
import { createAuthorityKeyCache } from './authority-keys.ts'
import { AuthorityProblem } from './authority-metadata.ts'
import { ALGORITHMS, algorithmHint, HINTS, keyHint } from './token-hints.ts'
import { type ParsedToken, parseToken } from './token-parts.ts'

/** What came of looking at an attestation token. */
export interface AttestationTokenReading {
  /** Every condition is met. */
  readonly verified: boolean
  /** As the token claims it; undefined when it claims none that could be asked for its keys. */
  readonly issuer: string | undefined
  /** Only of a token that its issuer signed, though it may not be valid at this time; undefined of any other. */
  readonly claims: Readonly<Record<string, unknown>> | undefined
  /** All that was looked at, met or not: after one that is not met, only those that depend on it are left out. */
  readonly conditions: readonly JournalCondition[]
}

export interface AttestationTokens {
  /**
   * Verifies a token as the service does: by the OpenID metadata and the key set that its issuer publishes. The header's
   * `jku`, `x5u`, `jwk` and `x5c` are ignored: they are the sender's word.
   */
  read(token: string): Promise<AttestationTokenReading>
}

type Look = (name: string, wanted: unknown, found: unknown, met: boolean, hint?: string) => boolean

export function createAttestationTokens(ctx: EmulatorContext): AttestationTokens {
  const keys = createAuthorityKeyCache(ctx)

  /** The key of the issuer that the token names, if it may be asked for one and has it. */
  const findKey = async (look: Look, issuer: string, header: ParsedToken['header']): Promise<KeyObject | undefined> => {
    const { kid } = header
    const named = typeof kid === 'string' && kid !== ''
    if (!look('token.kid', "one of the issuer's keys", kid, named, HINTS.noKid) || !named) return undefined
    try {
      const key = await keys.find(issuer, kid)
      const found = key === undefined || key === 'ambiguous' ? undefined : key
      // In place of what stood for its presence.
      look('token.kid', "one of the issuer's keys", kid, found !== undefined, keyHint(key, header))
      return found
    } catch (error) {
      if (!(error instanceof AuthorityProblem)) throw error
      look('token.iss keys', 'OpenID metadata and a key set', error.message, false, error.hint)
      return undefined
    }
  }

  return {
    async read(token) {
      const conditions = new Map<string, JournalCondition>()
      const look: Look = (name, wanted, found, met, hint) => {
        conditions.set(name, { name, wanted, found: found ?? null, met, ...(met || !hint ? {} : { hint }) })
        return met
      }
      const done = (signed: boolean, parsed?: ParsedToken): AttestationTokenReading => {
        const all = [...conditions.values()]
        const issuer = typeof parsed?.claims.iss === 'string' ? parsed.claims.iss : undefined
        return {
          verified: signed && all.every(({ met }) => met),
          issuer,
          claims: signed ? parsed?.claims : undefined,
          conditions: all,
        }
      }

      const parsed = parseToken(token)
      if ('problem' in parsed) {
        look('token', 'a signed JWT', parsed.problem, false, HINTS.structure)
        return done(false)
      }
      look('token', 'a signed JWT', 'a JWT', true)
      const { header, claims } = parsed
      const knownAlgorithm = ALGORITHMS.some((name) => name === header.alg)
      const algorithm = look('token.alg', ALGORITHMS.join(', '), header.alg, knownAlgorithm, algorithmHint(header.alg))
      const demands = header.crit === undefined || look('token.crit', null, header.crit, false, HINTS.crit)
      const asking = isAskable(claims.iss)
      look('token.iss', 'an https attestation service', claims.iss, asking, HINTS.issuer)
      // A token that cannot be verified in any case is no reason to ask somebody for keys.
      const key = algorithm && demands && asking ? await findKey(look, claims.iss as string, header) : undefined
      const valid = key !== undefined && verifiesJws(token, key)
      const signed = key !== undefined && look('token.signature', 'valid', word(valid), valid, HINTS.signature)
      lookAtTimes(look, claims, epochSeconds(ctx.clock))
      return done(signed, parsed)
    },
  }
}

const word = (valid: boolean) => (valid ? 'valid' : 'not valid')

/** No tolerance: the emulator's own services share one clock, and Azure's tolerance is not documented. */
function lookAtTimes(look: Look, { exp, nbf }: ParsedToken['claims'], now: number): void {
  // Its type is the issuer's claim too: a start that is no number is no start that has come.
  if (nbf !== undefined) look('token.nbf', `not after ${now}`, nbf, typeof nbf === 'number' && nbf <= now, HINTS.nbf)
  const ends = typeof exp === 'number'
  look('token.exp', `after ${now}`, exp, ends && now < exp, ends ? HINTS.expired : HINTS.noExpiry)
}

/**
 * An issuer that has OpenID metadata: an https address without credentials, query or fragment. Plain http is for an
 * authority on loopback that was allowed at the start.
 */
function isAskable(issuer: unknown): issuer is string {
  if (typeof issuer !== 'string' || !URL.canParse(issuer) || /[?#@\\\s]/.test(issuer)) return false
  const { protocol, hostname } = new URL(issuer)
  return protocol === 'https:' || (protocol === 'http:' && isLoopback(hostname))
}
