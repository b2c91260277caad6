import { encodeUtf8 } from '@skerry/guest/wire'
import { CompactSign } from 'jose'
import { type EmulatorContext, epochSeconds } from '../core/index.ts'
import { signingKey } from './signing-key.ts'
import { sortedJson } from './sorted-json.ts'

/** An attestation token lives for 8 hours. */
const ATTESTATION_LIFETIME = 28_800
/** The answer of a policy operation lives for one. */
const POLICY_LIFETIME = 3600

/** A signed attestation token: RS256, registered claims added, members sorted. */
export async function attestationToken(
  ctx: EmulatorContext,
  issuer: string,
  claims: Readonly<Record<string, unknown>>,
): Promise<string> {
  const jti = ctx.random.bytes(32).toString('hex')
  return sign(ctx, issuer, { ...claims, ...registered(ctx, issuer, ATTESTATION_LIFETIME), jti })
}

/** What policy operations answer with: the same token without `jti`, for one hour. */
export async function policyToken(
  ctx: EmulatorContext,
  issuer: string,
  claims: Readonly<Record<string, unknown>>,
): Promise<string> {
  return sign(ctx, issuer, { ...claims, ...registered(ctx, issuer, POLICY_LIFETIME) })
}

function registered(ctx: EmulatorContext, issuer: string, lifetime: number) {
  const iat = epochSeconds(ctx.clock)
  return { iss: issuer, iat, nbf: iat, exp: iat + lifetime }
}

async function sign(ctx: EmulatorContext, issuer: string, payload: Record<string, unknown>): Promise<string> {
  const { privateKey, kid } = await signingKey(ctx)
  return new CompactSign(encodeUtf8(sortedJson(payload)))
    .setProtectedHeader({ alg: 'RS256', jku: `${issuer}/certs`, kid, typ: 'JWT' })
    .sign(privateKey)
}
