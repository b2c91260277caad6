import type { EmulatorContext } from '../core/index.ts'
import type { IssuerKeys } from './assertions/issuer-keys.ts'
import { createClientAuthentication } from './client-authentication.ts'
import { TokenServiceError, unsupportedGrant } from './errors.ts'
import { authorizationCodeGrant } from './grants/authorization-code.ts'
import { clientCredentialsGrant } from './grants/client-credentials.ts'
import { deviceCodeGrant } from './grants/device-code.ts'
import { passwordGrant } from './grants/password.ts'
import { refreshTokenGrant } from './grants/refresh-token.ts'
import type { Grant } from './grants/types.ts'
import { securityHeaders } from './headers.ts'
import { type EndpointVersion, readTokenForm } from './token-form.ts'

export interface TokenEndpointRequest {
  readonly version: EndpointVersion
  /** Of the path, known to exist. */
  readonly tenant: string
  readonly form: URLSearchParams
  readonly authorization: string | undefined
}

/** Answers token requests of every grant and writes down why; refusals are thrown. @throws TokenServiceError */
export type TokenEndpoint = (request: TokenEndpointRequest) => Promise<Response>

export function createTokenEndpoint(ctx: EmulatorContext, keys: IssuerKeys): TokenEndpoint {
  const clients = createClientAuthentication(ctx, keys)
  const deviceCode = deviceCodeGrant(ctx, clients)
  const grants: ReadonlyMap<string, Grant> = new Map([
    ['client_credentials', clientCredentialsGrant(ctx, clients)],
    ['urn:ietf:params:oauth:grant-type:device_code', deviceCode],
    ['device_code', deviceCode],
    ['password', passwordGrant(ctx, clients)],
    ['refresh_token', refreshTokenGrant(ctx, clients)],
    ['authorization_code', authorizationCodeGrant(ctx, clients)],
  ])
  return async ({ version, tenant, form, authorization }) => {
    try {
      const request = readTokenForm(version, tenant, form, authorization)
      const name = form.get('grant_type') ?? ''
      const grant = grants.get(name)
      if (grant === undefined) throw unsupportedGrant(name)
      const { body, subject, summary } = await grant(request)
      ctx.journal.write({ service: 'entra', operation: 'token', outcome: 'allowed', subject, summary })
      return Response.json(body, { headers: securityHeaders(ctx.random.uuid(), 'no-store, no-cache') })
    } catch (error) {
      // A device that asks again and again was not refused anything.
      if (error instanceof TokenServiceError && error.code !== 'authorization_pending') {
        ctx.journal.write({
          service: 'entra',
          operation: 'token',
          outcome: 'denied',
          subject: form.get('client_id') ?? '(none)',
          summary: error.message,
          ...error.explanation,
          answer: { status: error.status, code: `AADSTS${error.aadsts}` },
        })
      }
      throw error
    }
  }
}
