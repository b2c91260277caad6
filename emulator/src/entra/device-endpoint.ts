import type { EmulatorContext } from '../core/index.ts'
import { findClient } from './applications.ts'
import { createDeviceCode, DEVICE_CODE_INTERVAL, DEVICE_CODE_LIFETIME } from './device-codes.ts'
import { unknownApplication } from './errors.ts'
import { requestedScope } from './grants/user-answer.ts'
import { securityHeaders } from './headers.ts'
import { type EndpointVersion, required } from './token-form.ts'

/** Where a person goes when nothing local listens: the address of Entra's own page. */
export const DEVICE_PAGE = 'https://login.microsoftonline.com/common/oauth2/deviceauth'

/** A device asks for a code to show (RFC 8628, section 3.1). @throws TokenServiceError */
export function deviceAuthorization(
  ctx: EmulatorContext,
  version: EndpointVersion,
  form: URLSearchParams,
  page: string | undefined,
): Response {
  const asked = required(form, 'client_id')
  required(form, version === 'v1' ? 'resource' : 'scope')
  const { resource, asked: scopes, openId } = requestedScope({ version, form })
  const client = findClient(ctx, asked)
  if (client === undefined) throw unknownApplication(asked, ctx.seed.tenantId)
  const scope = [...(version === 'v1' ? [`${resource}/.default`] : scopes), ...openId].join(' ')
  const { deviceCode, userCode } = createDeviceCode(ctx, { clientId: client.clientId, scope })
  const uri = page ?? DEVICE_PAGE
  ctx.journal.write({
    service: 'entra',
    operation: 'deviceCode',
    outcome: 'done',
    subject: client.clientId,
    summary: `${client.displayName} asks a person to sign in at ${uri}, for ${scope}`,
  })
  const message = `To sign in, use a web browser to open the page ${uri} and enter the code ${userCode} to authenticate.`
  const numbers = { expires_in: DEVICE_CODE_LIFETIME, interval: DEVICE_CODE_INTERVAL }
  const body =
    version === 'v2'
      ? { user_code: userCode, device_code: deviceCode, verification_uri: uri, ...numbers, message }
      : {
          user_code: userCode,
          device_code: deviceCode,
          verification_url: uri,
          expires_in: String(numbers.expires_in),
          interval: String(numbers.interval),
          message,
        }
  return Response.json(body, { headers: securityHeaders(ctx.random.uuid(), 'no-store, no-cache') })
}
