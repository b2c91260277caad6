import type { EmulatorContext } from '../../core/index.ts'
import type { ClientAuthentication } from '../client-authentication.ts'
import { readRefreshToken } from '../refresh-tokens.ts'
import { required } from '../token-form.ts'
import type { Grant } from './types.ts'
import { requestedScope, userAnswer } from './user-answer.ts'

/** A new access token, for any resource, and a new refresh token (RFC 6749, section 6). */
export function refreshTokenGrant(ctx: EmulatorContext, clients: ClientAuthentication): Grant {
  return async (request) => {
    const token = required(request.form, 'refresh_token')
    const client = await clients.client(request)
    const user = readRefreshToken(ctx, token, client.clientId)
    const asked = requestedScope(request, 'openid')
    // Whoever refreshes gets the next refresh token, asked for or not.
    const scope = { ...asked, openId: new Set([...asked.openId, 'offline_access']) }
    return await userAnswer(ctx, request, { user, client, scope, how: 'by refresh token' })
  }
}
