import type { JournalCondition } from '../core/index.ts'
import { type Explanation, TokenServiceError } from './errors.ts'

/*
 * Why a client assertion is refused, in Entra's words ("Microsoft Entra authentication and authorization error codes").
 */

const invalidClient = (aadsts: number, message: string, explanation?: Explanation) =>
  new TokenServiceError(401, 'invalid_client', aadsts, message, explanation)

export const malformedAssertion = () =>
  new TokenServiceError(400, 'invalid_request', 50027, 'JWT token is invalid or malformed.')

export const wrongAssertionType = () =>
  new TokenServiceError(
    400,
    'invalid_request',
    90023,
    "Invalid STS request. The 'client_assertion_type' must be 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'.",
  )

export const unsupportedAlgorithm = (found: string, supported: readonly string[]) =>
  invalidClient(
    5002738,
    `Invalid JWT token. '${found}' is not a supported signature algorithm. Supported signing algorithms are: '${supported.join(',')}'`,
    { conditions: [{ name: 'assertion.alg', wanted: supported, found, met: false }] },
  )

export const applicationMismatch = (clientId: string, issuer: unknown, subject: unknown) =>
  invalidClient(700021, "Client assertion application identifier doesn't match 'client_id' parameter.", {
    conditions: [
      { name: 'assertion.iss', wanted: clientId, found: issuer ?? null, met: issuer === clientId },
      { name: 'assertion.sub', wanted: clientId, found: subject ?? null, met: subject === clientId },
    ],
  })

export const wrongRealm = (wanted: readonly string[], found: unknown) =>
  invalidClient(
    700023,
    'Client assertion audience claim does not match Realm issuer. Review the documentation at https://docs.microsoft.com/azure/active-directory/develop/active-directory-certificate-credentials .',
    { conditions: [{ name: 'assertion.aud', wanted, found: found ?? null, met: false }] },
  )

/** Times in seconds since the epoch. */
export const outsideTimeRange = (now: number, from: number | undefined, to: number | undefined) => {
  const text = (time: number | undefined) => (time === undefined ? '(none)' : dateText(time))
  return invalidClient(
    700024,
    `Client assertion is not within its valid time range. Current time: ${text(now)}, assertion valid from ${text(from)}, expiry time of assertion ${text(to)}. Review the documentation at https://docs.microsoft.com/azure/active-directory/develop/active-directory-certificate-credentials .`,
    {
      conditions: [
        {
          name: 'assertion.nbf',
          wanted: `at most ${now}`,
          found: from ?? null,
          met: from === undefined || from <= now,
        },
        { name: 'assertion.exp', wanted: `after ${now}`, found: to ?? null, met: to !== undefined && to > now },
      ],
      action: 'Compare the clock of the client with that of the emulator.',
    },
  )
}

export type KeyRefusal = 'notFound' | 'signature' | 'expired' | 'notYetValid' | 'chain'

const KEY_REASONS: Readonly<Record<KeyRefusal, readonly [what: string, reason: string]>> = {
  notFound: ['is not registered on application', 'The key was not found.'],
  expired: ['is expired on application', 'The key used is expired.'],
  notYetValid: ['is not valid yet on application', 'The key used is not valid yet.'],
  signature: ['failed signature validation', 'Key was found, but use of the key to verify the signature failed.'],
  chain: ['is not trusted on application', 'The certificate chain does not end at an authority of the application.'],
}

/** @param thumbprint SHA-1 in upper-case hex, or what the client sent in its place */
export const refusedKey = (refusal: KeyRefusal, clientId: string, thumbprint: string) => {
  const [what, reason] = KEY_REASONS[refusal]
  return invalidClient(
    700027,
    `The certificate with identifier used to sign the client assertion ${what}. [Reason - ${reason}, Thumbprint of key used by client: '${thumbprint}', Please visit the Azure Portal, Graph Explorer or directly use MS Graph to see configured keys for app Id '${clientId}'. Review the documentation at https://docs.microsoft.com/en-us/graph/deployments to determine the corresponding service endpoint and https://docs.microsoft.com/en-us/graph/api/application-get?view=graph-rest-1.0&tabs=http to build a query request URL, such as 'https://graph.microsoft.com/beta/applications/${clientId}']. Alternatively, SNI may be configured on the app. Please ensure that client assertion is being sent with the x5c claim in the JWT header using MSAL's WithSendX5C() method so that Azure Active Directory can validate the certificate being used.`,
    {
      conditions: [
        { name: 'assertion.key', wanted: `a certificate of ${clientId}`, found: thumbprint, met: false, hint: reason },
      ],
    },
  )
}

export const noFederatedCredentials = (clientId: string, name: string) =>
  invalidClient(70025, `The client '${clientId}'(${name}) has no configured federated identity credentials.`, {
    action: 'Add a federated identity credential to it, or sign the assertion with a certificate of its own.',
  })

const FEDERATION = {
  issuer: 700211,
  audience: 700212,
  subject: 700213,
} as const

export const noFederatedMatch = (
  part: keyof typeof FEDERATION,
  found: string,
  conditions: readonly JournalCondition[],
) =>
  invalidClient(
    FEDERATION[part],
    `No matching federated identity record found for presented assertion ${part} '${found}'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion. https://learn.microsoft.com/entra/workload-id/workload-identity-federation`,
    { conditions, action: `Make the ${part} of the federated identity credential exactly that of the token.` },
  )

export const issuerUnreachable = (issuer: string, reason: string, action?: string) =>
  new TokenServiceError(400, 'invalid_request', 501661, 'Request to External OIDC endpoint failed.', {
    conditions: [
      { name: 'issuer.metadata', wanted: `OpenID metadata and keys of ${issuer}`, found: reason, met: false },
    ],
    ...(action !== undefined && { action }),
  })

/** The signature of a federated token; `kid` is what its header says. */
export const failedSignature = (reason: 'notFound' | 'signature', kid: string) =>
  invalidClient(
    50013,
    `Assertion failed signature validation. [Reason - ${KEY_REASONS[reason][1]}, Key Id used by client: '${kid}']`,
    { conditions: [{ name: 'assertion.signature', wanted: 'a key of the issuer', found: kid, met: false }] },
  )

function dateText(seconds: number): string {
  const time = new Date(seconds * 1000)
  return Number.isNaN(time.getTime()) ? String(seconds) : time.toISOString()
}
