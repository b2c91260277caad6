import type { EmulatorContext, UserRecord } from '../../core/index.ts'
import { clientCapabilities } from '../claims-request.ts'
import type { AuthenticatedClient } from '../client-authentication.ts'
import { issueRefreshToken } from '../refresh-tokens.ts'
import { type UserScope, userScope } from '../resources.ts'
import type { TokenForm } from '../token-form.ts'
import { clientInfo, issueIdToken, issueUserToken, USER_SCOPE } from '../tokens.ts'
import { invalidUserScope } from '../user-errors.ts'
import type { Granted } from './types.ts'

const GRAPH = 'https://graph.microsoft.com'

/** Characters: more than any client asks for, and little enough to be kept while a person signs in. */
const LONGEST_SCOPE = 8_192

export interface SignedIn {
  readonly user: UserRecord
  readonly client: AuthenticatedClient
  readonly scope: UserScope
  /** Of the authorization request, for the ID token. */
  readonly nonce?: string
  /** What the user did, for the journal: `by device code`. */
  readonly how: string
}

/**
 * The scopes of the request: `scope`, or `resource` at the first version, whose clients always got every token.
 * @throws TokenServiceError
 */
export function requestedScope({ version, form }: Pick<TokenForm, 'version' | 'form'>, fallback = ''): UserScope {
  const resource = version === 'v1' ? form.get('resource') : null
  const text = resource ? `${resource}/.default openid offline_access` : form.get('scope') || fallback
  const scope = text.length > LONGEST_SCOPE ? undefined : userScope(text)
  if (scope === undefined) throw invalidUserScope(text.slice(0, LONGEST_SCOPE))
  return scope
}

/** The answer to a client whose user signed in: access token, and what it asked for beside it. @throws TokenServiceError */
export async function userAnswer(
  ctx: EmulatorContext,
  { version, form }: TokenForm,
  signedIn: SignedIn,
): Promise<Granted> {
  const { user, client, scope, nonce } = signedIn
  const resource = scope.resource ?? GRAPH
  const issued = await issueUserToken(ctx, { user, client, resource, clientClaims: clientCapabilities(form) })
  const granted = [`${resource}/${USER_SCOPE}`, ...scope.asked.filter((one) => one !== `${resource}/${USER_SCOPE}`)]
  const idToken = await issueIdToken(ctx, { user, clientId: client.clientId, ...(nonce !== undefined && { nonce }) })
  const extra = {
    ...(scope.openId.has('offline_access') && {
      refresh_token: issueRefreshToken(ctx, { user, clientId: client.clientId }),
    }),
    ...(scope.openId.has('openid') && { id_token: idToken }),
    ...(form.get('client_info') === '1' && { client_info: clientInfo(ctx, user) }),
  }
  const { accessToken, expiresIn, expiresOn, notBefore } = issued
  return {
    subject: user.objectId,
    summary: `issued a token for ${resource} to ${client.displayName}, as ${user.userPrincipalName}, ${signedIn.how}`,
    body:
      version === 'v2'
        ? {
            token_type: 'Bearer',
            scope: granted.join(' '),
            expires_in: expiresIn,
            ext_expires_in: expiresIn,
            access_token: accessToken,
            ...extra,
          }
        : {
            token_type: 'Bearer',
            scope: USER_SCOPE,
            expires_in: String(expiresIn),
            ext_expires_in: String(expiresIn),
            expires_on: String(expiresOn),
            not_before: String(notBefore),
            resource,
            access_token: accessToken,
            ...extra,
          },
  }
}
