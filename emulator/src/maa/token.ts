import { encodeBase64Url, encodeUtf8 } from '@skerry/guest/wire'
import { type EmulatorContext, epochSeconds, signJws } from '../core/index.ts'
import { signingKey } from './signing-key.ts'
import { sortedJson } from './sorted-json.ts'

/** An attestation token lives for 8 hours. */
const ATTESTATION_LIFETIME = 28_800
/** The answer of a policy operation lives for one. */
const POLICY_LIFETIME = 3600

type Claims = Readonly<Record<string, unknown>>

/**
 * An attestation token: RS256, registered claims added, members sorted. One by a draft policy is unsecured: the algorithm
 * is none, there is no signature, and nothing else differs but that nobody signed its policy.
 */
export async function attestationToken(
  ctx: EmulatorContext,
  issuer: string,
  claims: Claims,
  { unsecured }: { readonly unsecured: boolean } = { unsecured: false },
): Promise<string> {
  const jti = ctx.random.bytes(32).toString('hex')
  const payload = { ...claims, ...registered(ctx, issuer, ATTESTATION_LIFETIME), jti }
  return await (unsecured ? encode(ctx, issuer, payload) : sign(ctx, issuer, payload))
}

/** What policy operations answer with: the same token without `jti`, for one hour. */
export async function policyToken(ctx: EmulatorContext, issuer: string, claims: Claims): Promise<string> {
  return await sign(ctx, issuer, { ...claims, ...registered(ctx, issuer, POLICY_LIFETIME) })
}

function registered(ctx: EmulatorContext, issuer: string, lifetime: number) {
  const iat = epochSeconds(ctx.clock)
  return { iss: issuer, iat, nbf: iat, exp: iat + lifetime }
}

const header = <Algorithm extends string>(alg: Algorithm, issuer: string, kid: string) => ({
  alg,
  jku: `${issuer}/certs`,
  kid,
  typ: 'JWT',
})

async function sign(ctx: EmulatorContext, issuer: string, payload: Claims): Promise<string> {
  const { privateKey, kid } = await signingKey(ctx)
  return signJws(header('RS256', issuer, kid), sortedJson(payload), privateKey)
}

async function encode(ctx: EmulatorContext, issuer: string, payload: Claims): Promise<string> {
  const { kid } = await signingKey(ctx)
  const parts = [JSON.stringify(header('none', issuer, kid)), sortedJson(payload)]
  return `${parts.map((part) => encodeBase64Url(encodeUtf8(part))).join('.')}.`
}
