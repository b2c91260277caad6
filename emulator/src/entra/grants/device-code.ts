import type { EmulatorContext } from '../../core/index.ts'
import type { ClientAuthentication } from '../client-authentication.ts'
import { redeemDeviceCode } from '../device-codes.ts'
import { required } from '../token-form.ts'
import type { Grant } from './types.ts'
import { requestedScope, userAnswer } from './user-answer.ts'

/** A device asks whether its user has signed in (RFC 8628, section 3.4). The first version calls the code `code`. */
export function deviceCodeGrant(ctx: EmulatorContext, clients: ClientAuthentication): Grant {
  return async (request) => {
    const deviceCode = required(request.form, request.version === 'v1' ? 'code' : 'device_code')
    const client = await clients.client(request)
    const { user, scope: asked } = redeemDeviceCode(ctx, deviceCode, client.clientId)
    const scope = requestedScope({ version: 'v2', form: new URLSearchParams({ scope: asked }) })
    return await userAnswer(ctx, request, { user, client, scope, how: 'by device code' })
  }
}
