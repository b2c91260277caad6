import type { EmulatorContext } from '../../core/index.ts'
import type { ClientAuthentication } from '../client-authentication.ts'
import { required } from '../token-form.ts'
import { unknownUser, wrongPassword } from '../user-errors.ts'
import { findUser, isPasswordOf } from '../users.ts'
import type { Grant } from './types.ts'
import { requestedScope, userAnswer } from './user-answer.ts'

/** Resource owner password credentials (RFC 6749, section 4.3). */
export function passwordGrant(ctx: EmulatorContext, clients: ClientAuthentication): Grant {
  return async (request) => {
    const name = required(request.form, 'username')
    const password = required(request.form, 'password')
    const scope = requestedScope(request)
    const client = await clients.client(request)
    const user = findUser(ctx, name)
    if (user === undefined) throw unknownUser(ctx.seed.tenantId)
    if (!(await isPasswordOf(user, password))) throw wrongPassword()
    return await userAnswer(ctx, request, { user, client, scope, how: 'by password' })
  }
}
