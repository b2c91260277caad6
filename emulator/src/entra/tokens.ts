import { createHash } from 'node:crypto'
import { type JWTPayload, SignJWT } from 'jose'
import { type EmulatorContext, epochSeconds, type ServicePrincipalRecord, type UserRecord } from '../core/index.ts'
import type { ClientProof } from './client-authentication.ts'
import { unknownResource } from './errors.ts'
import { audienceOf, TOKEN_EXCHANGE } from './resources.ts'
import { tokenSigner } from './signer.ts'

/** Lifetimes in seconds, as Entra gives them; that of users it draws between 60 and 90 minutes. */
const APPLICATION_LIFETIME = 3599
const MANAGED_IDENTITY_LIFETIME = 86_399
const USER_LIFETIME = 4_499

/** Entra writes `iat` and `nbf` five minutes back, for clocks that are behind. */
const BACKDATED = 300

export interface TokenRequest {
  readonly principal: ServicePrincipalRecord
  /** As the client asked: a trailing slash does not matter. */
  readonly resource: string
  /** How an application proved itself; default: a secret. */
  readonly proof?: ClientProof
  /** ARM id of the managed identity, for the claim `xms_mirid`. */
  readonly managedIdentityId?: string
  /** Claims about the client itself, such as `xms_cc`. */
  readonly clientClaims?: JWTPayload
}

export interface IssuedToken {
  readonly accessToken: string
  /** Seconds from now. */
  readonly expiresIn: number
  /** Seconds since the epoch. */
  readonly expiresOn: number
  readonly notBefore: number
}

/**
 * An access token of version 1.0 for an application or a managed identity, signed RS256 (Microsoft identity platform,
 * "Access token claims reference"). Throws TokenServiceError for a resource that the tenant does not know.
 */
export async function issueToken(ctx: EmulatorContext, request: TokenRequest): Promise<IssuedToken> {
  const { principal } = request
  const isIdentity = principal.kind === 'managedIdentity'
  return await issue(ctx, request.resource, isIdentity ? MANAGED_IDENTITY_LIFETIME : APPLICATION_LIFETIME, {
    appid: principal.clientId,
    // How the client proved itself: 1 a secret, 2 a certificate, which is what managed identities use.
    appidacr: isIdentity ? '2' : (request.proof ?? '1'),
    idp: issuerOf(ctx.seed.tenantId),
    idtyp: 'app',
    oid: principal.objectId,
    sub: principal.objectId,
    ...(request.managedIdentityId === undefined ? {} : { xms_mirid: request.managedIdentityId }),
    ...request.clientClaims,
  })
}

export interface UserTokenRequest {
  readonly user: UserRecord
  readonly client: { readonly clientId: string; readonly proof: ClientProof }
  readonly resource: string
  readonly clientClaims?: JWTPayload
}

/** An access token of version 1.0 that a user gave a client: `scp` says what for. @throws TokenServiceError */
export async function issueUserToken(ctx: EmulatorContext, request: UserTokenRequest): Promise<IssuedToken> {
  const { user, client } = request
  return await issue(ctx, request.resource, USER_LIFETIME, {
    acr: '1',
    amr: ['pwd'],
    appid: client.clientId,
    appidacr: client.proof,
    idtyp: 'user',
    name: user.displayName,
    oid: user.objectId,
    scp: USER_SCOPE,
    sub: pairwiseSubject(ctx, user, audienceOf(request.resource) ?? ''),
    unique_name: user.userPrincipalName,
    upn: user.userPrincipalName,
    ...request.clientClaims,
  })
}

/** The one delegated permission of the resources that are emulated here. */
export const USER_SCOPE = 'user_impersonation'

/** An ID token of version 2.0 (OpenID Connect Core 1.0, section 2): who signed in, for the client itself. */
export async function issueIdToken(
  ctx: EmulatorContext,
  { user, clientId, nonce }: { readonly user: UserRecord; readonly clientId: string; readonly nonce?: string },
): Promise<string> {
  const { tenantId } = ctx.seed
  const now = epochSeconds(ctx.clock)
  return await sign(ctx, {
    aud: clientId,
    iss: issuerOfV2(tenantId),
    iat: now - BACKDATED,
    nbf: now - BACKDATED,
    exp: now - BACKDATED + 3900,
    name: user.displayName,
    ...(nonce !== undefined && { nonce }),
    oid: user.objectId,
    preferred_username: user.userPrincipalName,
    sub: pairwiseSubject(ctx, user, clientId),
    tid: tenantId,
    uti: ctx.random.bytes(16).toString('base64url'),
    ver: '2.0',
  })
}

/** What MSAL calls the account: base64url of `{"uid", "utid"}`. */
export function clientInfo(ctx: EmulatorContext, user: UserRecord): string {
  return Buffer.from(JSON.stringify({ uid: user.objectId, utid: ctx.seed.tenantId })).toString('base64url')
}

/** The issuer of version 1.0 tokens of a tenant. */
export function issuerOf(tenantId: string): string {
  return `https://sts.windows.net/${tenantId}/`
}

/** The issuer of version 2.0 tokens: ID tokens, and those that stand for an application elsewhere. */
export function issuerOfV2(tenantId: string): string {
  return `https://login.microsoftonline.com/${tenantId}/v2.0`
}

async function issue(
  ctx: EmulatorContext,
  resource: string,
  expiresIn: number,
  claims: JWTPayload,
): Promise<IssuedToken> {
  const { tenantId } = ctx.seed
  const audience = audienceOf(resource)
  if (audience === undefined) throw unknownResource(resource, tenantId)
  const now = epochSeconds(ctx.clock)
  const notBefore = now - BACKDATED
  const expiresOn = now + expiresIn
  const isExchange = audience === TOKEN_EXCHANGE
  const accessToken = await sign(ctx, {
    aud: audience,
    iss: isExchange ? issuerOfV2(tenantId) : issuerOf(tenantId),
    iat: notBefore,
    nbf: notBefore,
    exp: expiresOn,
    ...claims,
    tid: tenantId,
    uti: ctx.random.bytes(16).toString('base64url'),
    ver: isExchange ? '2.0' : '1.0',
  })
  return { accessToken, expiresIn, expiresOn, notBefore }
}

async function sign(ctx: EmulatorContext, claims: JWTPayload): Promise<string> {
  const signer = await tokenSigner(ctx)
  return await new SignJWT(claims)
    .setProtectedHeader({ typ: 'JWT', alg: 'RS256', x5t: signer.kid, kid: signer.kid })
    .sign(signer.privateKey)
}

/** Each resource knows a user by another `sub` (OpenID Connect Core 1.0, section 8.1); all know the same `oid`. */
function pairwiseSubject({ seed }: EmulatorContext, user: UserRecord, sector: string): string {
  return createHash('sha256').update(`${seed.tenantId}|${sector}|${user.objectId}`).digest('base64url')
}
