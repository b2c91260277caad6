import type { EmulatorContext } from '../core/index.ts'
import { type Principal, TokenError, type TokenVerifier } from '../entra/index.ts'
import type { Authorizer, Permission } from '../rbac/index.ts'
import { ArmError } from './error.ts'

/** Every spelling of Resource Manager that Entra gives tokens for. */
export const ARM_AUDIENCES = ['https://management.azure.com/', 'https://management.core.windows.net/'] as const

/** Who calls Resource Manager. @throws ArmError 401 with the challenge that clients read */
export async function authenticate(ctx: EmulatorContext, tokens: TokenVerifier, request: Request): Promise<Principal> {
  try {
    return await tokens.verify(request, ARM_AUDIENCES)
  } catch (error) {
    if (!(error instanceof TokenError)) throw error
    const refusal = refusalOf(error, ctx.seed.tenantId)
    // A request without any token was not refused: it was told where to get one.
    if (error.code !== 'missing') {
      ctx.journal.write({
        service: 'arm',
        operation: 'authenticate',
        outcome: 'denied',
        subject: new URL(request.url).pathname,
        summary: refusal.message,
        conditions: [
          { name: `token.${error.code}`, wanted: 'a valid token', found: error.found ?? error.code, met: false },
        ],
        answer: { status: 401, code: refusal.code },
      })
    }
    throw new ArmError(401, refusal, { 'www-authenticate': challenge(ctx.seed.tenantId, error) })
  }
}

function refusalOf(error: TokenError, tenantId: string): { code: string; message: string } {
  switch (error.code) {
    case 'missing':
      return {
        code: 'AuthenticationFailed',
        message: "Authentication failed. The 'Authorization' header is missing.",
      }
    case 'expired':
      return { code: 'ExpiredAuthenticationToken', message: `The access token has expired. ${error.message}` }
    case 'audience':
      return {
        code: 'InvalidAuthenticationTokenAudience',
        message: `The access token has been obtained for wrong audience or resource '${error.found ?? ''}'. It should exactly match with one of the allowed audiences '${ARM_AUDIENCES.flatMap((audience) => [audience, audience.slice(0, -1)]).join("','")}'.`,
      }
    case 'issuer':
      return {
        code: 'InvalidAuthenticationTokenTenant',
        message: `The access token is from the wrong issuer '${error.found ?? ''}'. It must match the tenant 'https://sts.windows.net/${tenantId}/' associated with this subscription. Please use the authority (URL) 'https://login.microsoftonline.com/${tenantId}' to get the token.`,
      }
    default:
      return { code: 'InvalidAuthenticationToken', message: 'The access token is invalid.' }
  }
}

function challenge(tenantId: string, error: TokenError): string {
  const why =
    error.code === 'missing'
      ? "The authentication failed because of missing 'Authorization' header."
      : 'Could not validate the access token.'
  return `Bearer authorization_uri="https://login.microsoftonline.com/${tenantId}", error="invalid_token", error_description="${why}"`
}

/** @throws ArmError 403 AuthorizationFailed naming client, object id, action and scope */
export function authorize(
  ctx: EmulatorContext,
  authorizer: Authorizer,
  caller: Principal,
  action: string,
  scope: string,
  more: Pick<Permission, 'assignedRole'> = {},
): void {
  const permission = { action, ...more }
  if (authorizer.check(caller.objectId, permission, scope).allowed) return
  const message = `The client '${caller.clientId}' with object id '${caller.objectId}' does not have authorization to perform action '${action}' over scope '${scope}' or the scope is invalid. If access was recently granted, please refresh your credentials.`
  ctx.journal.write({
    service: 'arm',
    operation: 'authorize',
    outcome: 'denied',
    subject: caller.objectId,
    summary: message,
    conditions: [{ name: 'role', wanted: action, found: 'no assignment that grants it', met: false }],
    action: `Assign ${roleToAssign(authorizer.rolesFor(permission), action)} to ${caller.objectId} at ${scope} or above.`,
    answer: { status: 403, code: 'AuthorizationFailed' },
  })
  throw new ArmError(403, { code: 'AuthorizationFailed', message })
}

/** The narrowest role that would have been enough, and a few others. */
function roleToAssign([first, ...others]: readonly string[], action: string): string {
  if (first === undefined) return `a role that contains ${action}`
  return `the role ${first}${others.length === 0 ? '' : ` (or ${others.slice(0, 3).join(', ')})`}`
}
