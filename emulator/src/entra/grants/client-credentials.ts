import type { EmulatorContext } from '../../core/index.ts'
import { clientCapabilities } from '../claims-request.ts'
import type { ClientAuthentication } from '../client-authentication.ts'
import { invalidScope } from '../errors.ts'
import { isCommonTenant } from '../metadata.ts'
import { resourceOfScope } from '../resources.ts'
import { required, type TokenForm } from '../token-form.ts'
import { issueToken } from '../tokens.ts'
import { noTenant } from '../user-errors.ts'
import type { Grant } from './types.ts'

/** An application for itself (RFC 6749, section 4.4). */
export function clientCredentialsGrant(ctx: EmulatorContext, clients: ClientAuthentication): Grant {
  return async (request) => {
    if (isCommonTenant(request.tenant)) throw noTenant()
    const resource = wantedResource(request)
    const { principal, proof } = await clients.application(request)
    const issued = await issueToken(ctx, {
      principal,
      resource,
      proof,
      clientClaims: clientCapabilities(request.form),
    })
    const { expiresIn, expiresOn, notBefore, accessToken } = issued
    return {
      subject: principal.objectId,
      summary: `issued a token for ${resource} to ${principal.displayName}`,
      // The older endpoint writes every number as a string.
      body:
        request.version === 'v2'
          ? { token_type: 'Bearer', expires_in: expiresIn, ext_expires_in: expiresIn, access_token: accessToken }
          : {
              token_type: 'Bearer',
              expires_in: String(expiresIn),
              ext_expires_in: String(expiresIn),
              expires_on: String(expiresOn),
              not_before: String(notBefore),
              resource,
              access_token: accessToken,
            },
    }
  }
}

/** As the client asked for it. */
function wantedResource({ version, form }: TokenForm): string {
  if (version === 'v1') return required(form, 'resource')
  const scope = required(form, 'scope')
  const resource = resourceOfScope(scope)
  if (resource === undefined) throw invalidScope(scope)
  return resource
}
