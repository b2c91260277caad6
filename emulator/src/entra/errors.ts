import type { EmulatorContext, JournalCondition } from '../core/index.ts'
import { securityHeaders } from './headers.ts'

/** What the journal says of a refusal beyond its answer; never a token or a secret. */
export interface Explanation {
  readonly conditions?: readonly JournalCondition[]
  /** What a person would do about it. */
  readonly action?: string
}

/** An answer of Entra's token service that is not a token. `aadsts` is the number after `AADSTS`. */
export class TokenServiceError extends Error {
  readonly code: string
  readonly status: number
  readonly aadsts: number
  readonly explanation: Explanation
  constructor(status: number, code: string, aadsts: number, message: string, explanation: Explanation = {}) {
    super(`AADSTS${aadsts}: ${message}`)
    this.name = 'TokenServiceError'
    this.status = status
    this.code = code
    this.aadsts = aadsts
    this.explanation = explanation
  }
}

export const unknownTenant = (tenant: string) =>
  new TokenServiceError(
    400,
    'invalid_request',
    90002,
    `Tenant '${tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.`,
  )

export const missingParameter = (name: string) =>
  new TokenServiceError(
    400,
    'invalid_request',
    900144,
    `The request body must contain the following parameter: '${name}'.`,
  )

export const unsupportedGrant = (grant: string) =>
  new TokenServiceError(400, 'unsupported_grant_type', 70003, `The app requested an unsupported grant type '${grant}'.`)

export const unknownApplication = (clientId: string, tenantId: string) =>
  new TokenServiceError(
    400,
    'unauthorized_client',
    700016,
    `Application with identifier '${clientId}' was not found in the directory '${tenantId}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.`,
  )

export const invalidSecret = (clientId: string) =>
  new TokenServiceError(
    401,
    'invalid_client',
    7000215,
    `Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '${clientId}'.`,
  )

export const noCredential = () =>
  new TokenServiceError(
    401,
    'invalid_client',
    7000216,
    "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.",
  )

export const invalidScope = (scope: string) =>
  new TokenServiceError(
    400,
    'invalid_scope',
    1002012,
    `The provided value for scope ${scope} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).`,
  )

export const unknownResource = (resource: string, tenantId: string) =>
  new TokenServiceError(
    400,
    'invalid_resource',
    500011,
    `The resource principal named ${resource} was not found in the tenant named ${tenantId}. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant.`,
  )

/** Entra's error body: the description repeats trace id, correlation id and time, each on a line of its own. */
export function errorResponse(ctx: EmulatorContext, error: TokenServiceError, correlationId: string): Response {
  const traceId = ctx.random.uuid()
  const timestamp = `${new Date(ctx.clock.now()).toISOString().slice(0, 19).replace('T', ' ')}Z`
  const description = [
    error.message,
    `Trace ID: ${traceId}`,
    `Correlation ID: ${correlationId}`,
    `Timestamp: ${timestamp}`,
  ].join('\r\n')
  return Response.json(
    {
      error: error.code,
      error_description: description,
      error_codes: [error.aadsts],
      timestamp,
      trace_id: traceId,
      correlation_id: correlationId,
      error_uri: `https://login.microsoftonline.com/error?code=${error.aadsts}`,
    },
    { status: error.status, headers: securityHeaders(traceId, 'no-store, no-cache') },
  )
}
