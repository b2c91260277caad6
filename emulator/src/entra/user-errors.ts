import { type Explanation, TokenServiceError } from './errors.ts'

/* Why a user is not signed in, in Entra's words ("Microsoft Entra authentication and authorization error codes"). */

const refuse = (code: string, aadsts: number, message: string, explanation?: Explanation) =>
  new TokenServiceError(400, code, aadsts, message, explanation)

export const noTenant = () =>
  refuse(
    'invalid_request',
    50059,
    'No tenant-identifying information found in either the request or implied by any provided credentials.',
    { action: 'Ask for the token of an application at the tenant itself, not at common or organizations.' },
  )

export const confidentialClient = () =>
  new TokenServiceError(
    401,
    'invalid_client',
    7000218,
    "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
  )

export const publicClient = () =>
  new TokenServiceError(
    401,
    'invalid_client',
    700025,
    "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.",
  )

export const invalidUserScope = (scope: string) =>
  refuse(
    'invalid_scope',
    70011,
    `The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope ${scope} is not valid.`,
  )

export const unknownUser = (tenantId: string) =>
  refuse(
    'invalid_grant',
    50034,
    `The user account {EmailHidden} does not exist in the ${tenantId} directory. To sign into this application, the account must be added to the directory.`,
  )

export const wrongPassword = () =>
  refuse('invalid_grant', 50126, 'Error validating credentials due to invalid username or password.')

/** `reason` is for the journal alone. */
export const invalidGrant = (reason: string) =>
  refuse('invalid_grant', 70000, 'Provided grant is invalid or malformed.', {
    conditions: [{ name: 'grant', wanted: 'one that was given to this client', found: reason, met: false }],
  })

export const expiredRefreshToken = (issued: string, lifetime: string) =>
  refuse(
    'invalid_grant',
    700082,
    `The refresh token has expired due to inactivity. The token was issued on ${issued} and was inactive for ${lifetime}.`,
  )

export const authorizationPending = () =>
  refuse('authorization_pending', 70016, 'OAuth 2.0 device flow error. Authorization is pending. Continue polling.')

export const authorizationDeclined = () =>
  refuse('authorization_declined', 65004, 'User declined to consent to access the app.')

export const expiredDeviceCode = () =>
  refuse(
    'expired_token',
    70020,
    "The provided value for the input parameter 'device_code' is not valid. This device code has expired.",
  )

export const unknownDeviceCode = () =>
  refuse('bad_verification_code', 70018, "The provided value for the input parameter 'device_code' is not valid.")

export const redeemedCode = () =>
  refuse(
    'invalid_grant',
    54005,
    'OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.',
  )

export const invalidVerifier = () =>
  refuse(
    'invalid_grant',
    50148,
    'The code_verifier does not match the code_challenge supplied in the authorization request for PKCE.',
  )

export const invalidRedirect = (clientId: string) =>
  refuse(
    'invalid_request',
    50011,
    `The redirect URI specified in the request does not match the redirect URIs configured for the application '${clientId}'. Make sure the redirect URI sent in the request matches one added to your application in the Azure portal. Navigate to https://aka.ms/redirectUriMismatchError to learn more about how to fix this.`,
  )
