import { SignJWT } from 'jose'
import { type EmulatorContext, epochSeconds, type ServicePrincipalRecord } from '../core/index.ts'
import { unknownResource } from './errors.ts'
import { audienceOf } from './resources.ts'
import { tokenSigner } from './signer.ts'

/** Lifetimes in seconds, as Entra gives them. */
const APPLICATION_LIFETIME = 3599
const MANAGED_IDENTITY_LIFETIME = 86_399

/** Entra writes `iat` and `nbf` five minutes back, for clocks that are behind. */
const BACKDATED = 300

export interface TokenRequest {
  readonly principal: ServicePrincipalRecord
  /** As the client asked: a trailing slash does not matter. */
  readonly resource: string
  /** ARM id of the managed identity, for the claim `xms_mirid`. */
  readonly managedIdentityId?: string
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
  const { tenantId } = ctx.seed
  const audience = audienceOf(request.resource)
  if (audience === undefined) throw unknownResource(request.resource, tenantId)

  const signer = await tokenSigner(ctx)
  const isIdentity = principal.kind === 'managedIdentity'
  const now = epochSeconds(ctx.clock)
  const expiresIn = isIdentity ? MANAGED_IDENTITY_LIFETIME : APPLICATION_LIFETIME
  const notBefore = now - BACKDATED
  const expiresOn = now + expiresIn
  const issuer = issuerOf(tenantId)
  const accessToken = await new SignJWT({
    aud: audience,
    iss: issuer,
    iat: notBefore,
    nbf: notBefore,
    exp: expiresOn,
    appid: principal.clientId,
    // How the client proved itself: 1 a secret, 2 a certificate, which is what managed identities use.
    appidacr: isIdentity ? '2' : '1',
    idp: issuer,
    idtyp: 'app',
    oid: principal.objectId,
    sub: principal.objectId,
    tid: tenantId,
    uti: ctx.random.bytes(16).toString('base64url'),
    ver: '1.0',
    ...(request.managedIdentityId === undefined ? {} : { xms_mirid: request.managedIdentityId }),
  })
    .setProtectedHeader({ typ: 'JWT', alg: 'RS256', x5t: signer.kid, kid: signer.kid })
    .sign(signer.privateKey)
  return { accessToken, expiresIn, expiresOn, notBefore }
}

/** The issuer of version 1.0 tokens of a tenant. */
export function issuerOf(tenantId: string): string {
  return `https://sts.windows.net/${tenantId}/`
}
