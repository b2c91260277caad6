import { createPublicKey, type JsonWebKeyInput, type KeyObject, X509Certificate } from 'node:crypto'
import { compactVerify, decodeJwt, decodeProtectedHeader, type JWTPayload } from 'jose'
import { type EmulatorContext, epochSeconds, type JournalCondition, NOT_EMULATED } from '../../core/index.ts'

/** What came of looking at an attestation token: its claims only if every condition is met. */
export interface AttestationTokenReading {
  readonly verified: boolean
  readonly issuer: string | undefined
  readonly claims: Readonly<Record<string, unknown>>
  /** In the order in which they were looked at; after one that is not met, those that depend on it are left out. */
  readonly conditions: readonly JournalCondition[]
}

export interface AttestationTokens {
  /**
   * Verifies a token as the service does: by the OpenID metadata and the key set that its issuer publishes. The header's
   * `jku` and `x5c` are ignored, and so are algorithms other than RS256.
   */
  read(token: string): Promise<AttestationTokenReading>
}

/** Keys of an issuer are asked for again after this long, and whenever a token names one that is not among them. */
const KEYS_LIFETIME_MS = 300_000

interface IssuerKeys {
  readonly byKid: ReadonlyMap<string, KeyObject>
  readonly fetchedAtMs: number
}

export function createAttestationTokens(ctx: EmulatorContext): AttestationTokens {
  const known = new Map<string, IssuerKeys>()

  const keyFor = async (issuer: string, kid: string): Promise<KeyObject | undefined> => {
    const cached = known.get(issuer)
    if (cached !== undefined && ctx.clock.now() - cached.fetchedAtMs < KEYS_LIFETIME_MS) {
      const key = cached.byKid.get(kid)
      if (key !== undefined) return key
    }
    const fetched = { byKid: await fetchKeys(ctx, issuer), fetchedAtMs: ctx.clock.now() }
    known.set(issuer, fetched)
    return fetched.byKid.get(kid)
  }

  return {
    async read(token) {
      const conditions: JournalCondition[] = []
      const look = (name: string, wanted: unknown, found: unknown, met: boolean, hint?: string): boolean => {
        conditions.push({ name, wanted, found, met, ...(met || hint === undefined ? {} : { hint }) })
        return met
      }
      const refused = (issuer?: string): AttestationTokenReading => ({
        verified: false,
        issuer,
        claims: {},
        conditions,
      })

      const parsed = parseToken(token)
      const isToken = parsed !== undefined
      if (!look('token', 'a signed JWT', isToken ? 'a JWT' : 'something else', isToken, HINTS.structure))
        return refused()
      const { header, claims } = parsed!
      if (!look('token.alg', 'RS256', header.alg, header.alg === 'RS256', HINTS.alg)) return refused()
      const issuer = claims.iss
      const secure = typeof issuer === 'string' && URL.canParse(issuer) && new URL(issuer).protocol === 'https:'
      if (!look('token.iss', 'an https attestation service', issuer, secure, HINTS.issuer)) return refused()

      let key: KeyObject | undefined
      try {
        key = await keyFor(issuer!, header.kid ?? '')
      } catch (error) {
        const found = error instanceof Error ? error.message : 'unreachable'
        look('token.iss keys', 'OpenID metadata and a key set', found, false, HINTS.unreachable)
        return refused(issuer)
      }
      if (!look('token.kid', "one of the issuer's keys", header.kid, key !== undefined, HINTS.kid))
        return refused(issuer)
      const signed = await verifies(token, key!)
      if (!look('token.signature', 'valid', signed ? 'valid' : 'not valid', signed, HINTS.signature))
        return refused(issuer)

      const now = epochSeconds(ctx.clock)
      const { exp, nbf } = claims
      // Its type is the issuer's claim too: a start that is no number is no start that has come.
      const early = nbf !== undefined && !(typeof nbf === 'number' && nbf <= now)
      look('token.nbf', `not after ${now}`, nbf, !early, HINTS.time)
      const current = typeof exp === 'number' && now < exp
      look('token.exp', `after ${now}`, exp, current, HINTS.expired)
      return early || !current ? refused(issuer) : { verified: true, issuer, claims, conditions }
    },
  }
}

const HINTS = {
  structure: 'Send the token of the attestation service unchanged as "target".',
  alg: 'Use a token that the attestation service signed: a policy under test gives unsigned ones.',
  issuer: 'Attest with an attestation provider that this emulator has.',
  unreachable:
    'The vault asks the issuer for its keys. Skerry verifies tokens only of attestation services that it emulates.',
  kid: 'The issuer does not publish the key that signed this token: attest again.',
  signature: 'The token was changed after it was signed, or somebody else signed it: attest again.',
  time: 'The clocks of the attestation service and of the vault disagree.',
  expired: 'Attest again: the token is older than its lifetime.',
}

function parseToken(token: string): { header: { alg?: string; kid?: string }; claims: JWTPayload } | undefined {
  try {
    const { alg, kid } = decodeProtectedHeader(token)
    const header = { ...(alg === undefined ? {} : { alg }), ...(typeof kid === 'string' ? { kid } : {}) }
    return { header, claims: decodeJwt(token) }
  } catch {
    return undefined
  }
}

async function verifies(token: string, key: KeyObject): Promise<boolean> {
  try {
    await compactVerify(token, key, { algorithms: ['RS256'] })
    return true
  } catch {
    return false
  }
}

/** The issuer's RSA keys by their exact `kid`. MAA publishes certificates only, so that the key is in `x5c[0]`. */
async function fetchKeys(ctx: EmulatorContext, issuer: string): Promise<Map<string, KeyObject>> {
  const base = issuer.replace(/\/$/, '')
  const metadata = await fetchJson(ctx, `${base}/.well-known/openid-configuration`)
  const jwksUri = metadata.jwks_uri
  if (typeof jwksUri !== 'string' || !jwksUri.startsWith('https://')) throw new Error('the metadata has no jwks_uri')
  if (typeof metadata.issuer === 'string' && metadata.issuer.replace(/\/$/, '') !== base) {
    throw new Error(`the metadata is of another issuer, ${metadata.issuer}`)
  }
  const { keys } = await fetchJson(ctx, jwksUri)
  const byKid = new Map<string, KeyObject>()
  for (const jwk of Array.isArray(keys) ? keys : []) {
    const key = typeof jwk?.kid === 'string' ? publicKeyOf(jwk) : undefined
    if (key?.asymmetricKeyType === 'rsa' && !byKid.has(jwk.kid)) byKid.set(jwk.kid, key)
  }
  return byKid
}

/** The public key of a JWK, from its certificate if it has one. Undefined when it cannot be read. */
export function publicKeyOf(jwk: { readonly [member: string]: unknown }): KeyObject | undefined {
  try {
    const certificate = Array.isArray(jwk.x5c) ? jwk.x5c[0] : undefined
    if (typeof certificate === 'string') return new X509Certificate(Buffer.from(certificate, 'base64')).publicKey
    return createPublicKey({ key: jwk as JsonWebKeyInput['key'], format: 'jwk' })
  } catch {
    return undefined
  }
}

async function fetchJson(ctx: EmulatorContext, url: string): Promise<Readonly<Record<string, unknown>>> {
  const response = await ctx.fetch(new Request(url))
  const body: unknown = await response.json().catch(() => undefined)
  if (response.ok && typeof body === 'object' && body !== null) return body as Record<string, unknown>
  const emulated = response.status !== 501 || (body as { error?: { code?: string } })?.error?.code !== NOT_EMULATED
  throw new Error(emulated ? `GET ${url} answered ${response.status}` : `${new URL(url).host} is not emulated here`)
}
