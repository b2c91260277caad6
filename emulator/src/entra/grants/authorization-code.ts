import type { EmulatorContext } from '../../core/index.ts'
import { redeemAuthorizationCode } from '../authorization-codes.ts'
import type { ClientAuthentication } from '../client-authentication.ts'
import { required } from '../token-form.ts'
import type { Grant } from './types.ts'
import { requestedScope, userAnswer } from './user-answer.ts'

/** A browser came back with a code (RFC 6749, section 4.1.3; RFC 7636, section 4.5). */
export function authorizationCodeGrant(ctx: EmulatorContext, clients: ClientAuthentication): Grant {
  return async (request) => {
    const code = required(request.form, 'code')
    const redirectUri = required(request.form, 'redirect_uri')
    const client = await clients.client(request)
    const verifier = request.form.get('code_verifier') ?? undefined
    const {
      user,
      scope: asked,
      nonce,
    } = redeemAuthorizationCode(ctx, { code, clientId: client.clientId, redirectUri, verifier })
    const scope = requestedScope(request, asked)
    return await userAnswer(ctx, request, {
      user,
      client,
      scope,
      how: 'by browser',
      ...(nonce !== undefined && { nonce }),
    })
  }
}
