import { hash } from 'node:crypto'
import { createLocalJWKSet, decodeJwt, errors, type JSONWebKeySet, type JWTPayload, jwtVerify } from 'jose'
import { type EmulatorContext, epochSeconds, remembered } from '../core/index.ts'
import { jsonText } from '../core/json-text.ts'
import { withoutTrailing } from '../core/trim-end.ts'

/** The caller of a resource, as its access token says. */
export interface Principal {
  readonly objectId: string
  readonly clientId: string
  readonly tenantId: string
  /** A person who signed in with a client, or an application or managed identity on its own. */
  readonly kind?: 'user' | 'application'
  /** Of a person: the user principal name. */
  readonly upn?: string
}

export type TokenErrorCode = 'missing' | 'malformed' | 'signature' | 'issuer' | 'audience' | 'expired' | 'notYetValid'

/** Why a bearer token is not accepted. `found` is what the token said instead, and never the token. */
export class TokenError extends Error {
  readonly code: TokenErrorCode
  readonly found: string | undefined
  constructor(code: TokenErrorCode, message: string, found?: string) {
    super(message)
    this.name = 'TokenError'
    this.code = code
    this.found = found
  }
}

export interface TokenVerifier {
  /**
   * The principal of the request's bearer token, which must be signed by the tenant, for one of `audiences` (a trailing
   * slash does not matter), and valid now. Throws TokenError.
   */
  verify(request: { readonly headers: Pick<Headers, 'get'> }, audiences: readonly string[]): Promise<Principal>
}

/** Metadata and keys are asked for again after this long, and when a key id is not among them (but not in a row). */
const METADATA_LIFETIME_MS = 24 * 3600 * 1000
const REFRESH_COOLDOWN_MS = 30_000

/** Tokens whose signature is not computed again. */
const MOST_VERIFIED = 1000

/** A token with a good signature and all its claims; whether it is valid now, and for whom, is looked at each time. */
interface VerifiedToken {
  readonly payload: JWTPayload
  /** The keys that it was verified with; once the tenant's keys were fetched anew, it is verified anew. */
  readonly keys: TenantKeys
}

interface TenantKeys {
  readonly issuer: string
  readonly jwks: ReturnType<typeof createLocalJWKSet>
  readonly fetchedAt: number
}

/** Verifies access tokens as a resource of the tenant does: by its OpenID metadata and key set, fetched and cached. */
export function createTokenVerifier(ctx: EmulatorContext): TokenVerifier {
  let cached: Promise<TenantKeys> | undefined

  const fetchKeys = async (): Promise<TenantKeys> => {
    const url = `https://login.microsoftonline.com/${ctx.seed.tenantId}/.well-known/openid-configuration`
    const metadata = (await fetchJson(ctx, url)) as { issuer: string; jwks_uri: string }
    const keys = (await fetchJson(ctx, metadata.jwks_uri)) as JSONWebKeySet
    return { issuer: metadata.issuer, jwks: createLocalJWKSet(keys), fetchedAt: ctx.clock.now() }
  }
  const tenantKeys = async (olderThanMs: number): Promise<TenantKeys> => {
    const known = await cached
    if (known !== undefined && ctx.clock.now() - known.fetchedAt < olderThanMs) return known
    const fetching = fetchKeys()
    cached = fetching
    fetching.catch(() => {
      if (cached === fetching) cached = undefined
    })
    return fetching
  }

  /** By the token's SHA-256, so that no token is kept. */
  const verified = new Map<string, VerifiedToken>()

  const verifyToken = async (token: string, audiences: readonly string[]): Promise<JWTPayload> => {
    const keys = await tenantKeys(METADATA_LIFETIME_MS)
    const digest = hash('sha256', token, 'base64url')
    const known = verified.get(digest)
    if (known?.keys === keys) {
      requireValidNow(known.payload, audiences, epochSeconds(ctx.clock))
      return known.payload
    }
    const { payload, keys: used } = await verifySignature(token, keys, audiences)
    verified.delete(digest)
    return remembered(verified, digest, MOST_VERIFIED, () => ({ payload, keys: used })).payload
  }

  const verifySignature = async (
    token: string,
    keys: TenantKeys,
    audiences: readonly string[],
  ): Promise<VerifiedToken> => {
    const claimed = readUnverified(token)
    // Looked at before the signature: a token of another tenant is told so, not that its signature is bad.
    if (claimed.iss !== keys.issuer) {
      throw new TokenError('issuer', `issuer ${keys.issuer} wanted`, jsonText(claimed.iss))
    }
    const options = {
      algorithms: ['RS256'],
      issuer: keys.issuer,
      audience: audiences.flatMap(spellings),
      requiredClaims: ['exp', 'nbf', 'oid', 'appid', 'tid'],
      currentDate: new Date(ctx.clock.now()),
    }
    try {
      return { payload: (await jwtVerify(token, keys.jwks, options)).payload, keys }
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw tokenErrorOf(error, claimed)
    }
    // The tenant may have a new key since.
    const renewed = await tenantKeys(REFRESH_COOLDOWN_MS)
    try {
      return { payload: (await jwtVerify(token, renewed.jwks, options)).payload, keys: renewed }
    } catch (error) {
      throw tokenErrorOf(error, claimed)
    }
  }

  return {
    async verify(request, audiences) {
      const authorization = request.headers.get('authorization')
      if (!authorization) throw new TokenError('missing', 'the request has no bearer token')
      const token = authorization.match(/^Bearer +(\S+)$/i)?.[1]
      if (token === undefined) throw new TokenError('malformed', 'the authorization header holds no bearer token')
      const { oid, appid, tid, idtyp, upn } = await verifyToken(token, audiences)
      if (typeof oid !== 'string' || typeof appid !== 'string' || typeof tid !== 'string') {
        throw new TokenError('malformed', 'oid, appid and tid must be strings')
      }
      const kind = idtyp === 'user' ? 'user' : 'application'
      return { objectId: oid, clientId: appid, tenantId: tid, kind, ...(typeof upn === 'string' && { upn }) }
    },
  }
}

function readUnverified(token: string): JWTPayload {
  try {
    return decodeJwt(token)
  } catch {
    throw new TokenError('malformed', 'the bearer token is not a JWT')
  }
}

const spellings = (audience: string): string[] => [audience, withoutTrailing(audience, '/')]

/** What of a verified token depends on when and where it is shown. */
function requireValidNow(payload: JWTPayload, audiences: readonly string[], now: number): void {
  const { aud = [], exp = 0, nbf = 0 } = payload
  const meant = typeof aud === 'string' ? [aud] : aud
  if (!audiences.some((audience) => spellings(audience).some((spelling) => meant.includes(spelling)))) {
    throw new TokenError('audience', 'the token is for another audience', audienceText(payload))
  }
  if (nbf > now) throw new TokenError('notYetValid', 'the token is not valid yet', String(nbf))
  if (exp <= now) throw new TokenError('expired', 'the token is expired', String(exp))
}

function tokenErrorOf(error: unknown, claimed: JWTPayload): unknown {
  if (error instanceof errors.JWTExpired)
    return new TokenError('expired', 'the token is expired', jsonText(claimed.exp))
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === 'aud')
      return new TokenError('audience', 'the token is for another audience', audienceText(claimed))
    if (error.claim === 'iss') return new TokenError('issuer', 'the token is of another issuer', jsonText(claimed.iss))
    if (error.claim === 'nbf' && error.reason === 'check_failed') {
      return new TokenError('notYetValid', 'the token is not valid yet', jsonText(claimed.nbf))
    }
    return new TokenError('malformed', `the claim ${error.claim} is missing or of the wrong type`)
  }
  if (error instanceof errors.JWTInvalid || error instanceof errors.JWSInvalid) {
    return new TokenError('malformed', 'the bearer token is not a JWT')
  }
  if (error instanceof errors.JOSEError) return new TokenError('signature', 'the signature is not of this tenant')
  return error
}

function audienceText(claimed: JWTPayload): string {
  return Array.isArray(claimed.aud) ? claimed.aud.map(jsonText).join(', ') : jsonText(claimed.aud)
}

async function fetchJson(ctx: EmulatorContext, url: string): Promise<unknown> {
  const response = await ctx.fetch(new Request(url))
  if (!response.ok) throw new Error(`GET ${url} answered ${response.status}`)
  return await response.json()
}
