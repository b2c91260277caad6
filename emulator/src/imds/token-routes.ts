import type { Context } from 'hono'
import type { Caller, EmulatorContext } from '../core/index.ts'
import { issueToken, TokenServiceError } from '../entra/index.ts'
import { chooseIdentity, type IdentitySelector } from './identity.ts'

/** Entra's part of an IMDS error: a code and a sentence. */
interface IdentityError {
  readonly error: string
  readonly error_description: string
}

/** The oldest api-version of the identity endpoint; later ones answer alike. */
const OLDEST_API_VERSION = '2018-02-01'

/** `GET /metadata/identity/oauth2/token`: a token of the managed identity that the caller has or picks. */
export async function identityToken(ctx: EmulatorContext, c: Context, caller: Caller): Promise<Response> {
  if (c.req.header('metadata')?.toLowerCase() !== 'true') {
    return refuse(ctx, c, { error: 'bad_request_102', error_description: 'Required metadata header not specified' })
  }
  const apiVersion = c.req.query('api-version')
  if (!apiVersion) return refuse(ctx, c, invalidRequest("Required query variable 'api-version' is missing"))
  if (!/^\d{4}-\d{2}-\d{2}$/.test(apiVersion) || apiVersion < OLDEST_API_VERSION) {
    return refuse(ctx, c, invalidRequest(`The api-version '${apiVersion}' is not supported`))
  }
  const resource = c.req.query('resource')
  if (!resource) return refuse(ctx, c, invalidRequest("Required query variable 'resource' is missing"))

  const selector = readSelector(c)
  if (selector === undefined) {
    return refuse(ctx, c, invalidRequest('Only one of client_id, object_id and msi_res_id may be specified'))
  }
  const chosen = chooseIdentity(ctx, caller, selector)
  if (chosen === 'notFound') return refuse(ctx, c, invalidRequest('Identity not found'), caller)
  if (chosen === 'ambiguous') {
    const wanted =
      'Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request'
    return refuse(ctx, c, invalidRequest(wanted), caller)
  }

  const { principal, resourceId } = chosen
  try {
    const issued = await issueToken(ctx, { principal, resource, managedIdentityId: resourceId })
    ctx.journal.write({
      service: 'imds',
      operation: 'token',
      outcome: 'allowed',
      subject: principal.objectId,
      summary: `issued a token for ${resource} to the managed identity ${principal.displayName}`,
      ...(caller.containerGroupId && { details: { containerGroup: caller.containerGroupId } }),
    })
    // Every number is a string: clients of this endpoint refuse JSON numbers.
    return c.json({
      access_token: issued.accessToken,
      refresh_token: '',
      client_id: principal.clientId,
      expires_in: String(issued.expiresIn),
      expires_on: String(issued.expiresOn),
      ext_expires_in: String(issued.expiresIn),
      not_before: String(issued.notBefore),
      resource,
      token_type: 'Bearer',
    })
  } catch (error) {
    if (!(error instanceof TokenServiceError)) throw error
    return refuse(ctx, c, { error: error.code, error_description: error.message }, caller)
  }
}

/** Undefined when the request picks in more than one way. */
function readSelector(c: Context): IdentitySelector | undefined {
  const query = (...names: string[]) => names.map((name) => c.req.query(name)).find((value) => value)
  const clientId = query('client_id')
  const objectId = query('object_id', 'principal_id')
  const resourceId = query('msi_res_id', 'mi_res_id')
  const selector = { ...(clientId && { clientId }), ...(objectId && { objectId }), ...(resourceId && { resourceId }) }
  return Object.keys(selector).length > 1 ? undefined : selector
}

function invalidRequest(description: string): IdentityError {
  return { error: 'invalid_request', error_description: description }
}

function refuse(ctx: EmulatorContext, c: Context, body: IdentityError, caller?: Caller): Response {
  ctx.journal.write({
    service: 'imds',
    operation: 'token',
    outcome: 'denied',
    summary: body.error_description,
    answer: { status: 400, code: body.error },
    ...(caller?.containerGroupId && { subject: caller.containerGroupId }),
  })
  return c.json(body, 400)
}
