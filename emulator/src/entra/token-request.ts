import { timingSafeEqual } from 'node:crypto'
import type { EmulatorContext, ServicePrincipalRecord } from '../core/index.ts'
import { findByClientId, sha256Hex } from './directory.ts'
import {
  invalidScope,
  invalidSecret,
  missingParameter,
  noCredential,
  unknownApplication,
  unsupportedGrant,
} from './errors.ts'
import { resourceOfScope } from './resources.ts'

/** The two generations of the token endpoint: `/oauth2/token` takes a resource, `/oauth2/v2.0/token` a scope. */
export type EndpointVersion = 'v1' | 'v2'

/** A client that Skerry does not serve yet: a signed assertion instead of a secret. */
export class AssertionNotCoveredError extends Error {
  readonly code = 'SkerryNotCovered'
  constructor() {
    super('Skerry does not cover client_assertion yet: use a client secret.')
    this.name = 'AssertionNotCoveredError'
  }
}

export interface ClientCredentials {
  readonly clientId: string
  readonly clientSecret: string | undefined
  /** As the client asked for it. */
  readonly resource: string
}

/**
 * Reads a client-credentials request (RFC 6749, 4.4): secret in the form, or both in a Basic header (2.3.1).
 * Throws TokenServiceError, or AssertionNotCoveredError.
 */
export function readClientCredentials(
  version: EndpointVersion,
  form: URLSearchParams,
  authorization: string | null,
): ClientCredentials {
  const grant = form.get('grant_type')
  if (!grant) throw missingParameter('grant_type')
  const basic = readBasic(authorization)
  const clientId = form.get('client_id') || basic?.clientId
  if (!clientId) throw missingParameter('client_id')
  if (grant !== 'client_credentials') throw unsupportedGrant(grant)
  const wanted = version === 'v2' ? 'scope' : 'resource'
  const asked = form.get(wanted)
  if (!asked) throw missingParameter(wanted)
  const resource = version === 'v2' ? resourceOfScope(asked) : asked
  if (resource === undefined) throw invalidScope(asked)
  if (form.has('client_assertion')) throw new AssertionNotCoveredError()
  return { clientId, clientSecret: form.get('client_secret') ?? basic?.clientSecret, resource }
}

/** Who these credentials are. Throws TokenServiceError for an unknown client or a secret that is not its own. */
export function authenticate(ctx: EmulatorContext, credentials: ClientCredentials): ServicePrincipalRecord {
  const principal = findByClientId(ctx, credentials.clientId)
  if (principal === undefined) throw unknownApplication(credentials.clientId, ctx.seed.tenantId)
  if (!credentials.clientSecret) throw noCredential()
  const kept = principal.clientSecretSha256
  if (kept === undefined || !sameHex(kept, sha256Hex(credentials.clientSecret))) throw invalidSecret(principal.clientId)
  return principal
}

function readBasic(authorization: string | null): { clientId: string; clientSecret: string } | undefined {
  const encoded = authorization?.match(/^Basic ([A-Za-z0-9+/]+=*)$/i)?.[1]
  if (encoded === undefined) return undefined
  const text = Buffer.from(encoded, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  if (colon < 0) return undefined
  return { clientId: formDecode(text.slice(0, colon)), clientSecret: formDecode(text.slice(colon + 1)) }
}

/** Both halves of the Basic header are form-encoded first (RFC 6749, 2.3.1). */
function formDecode(text: string): string {
  return new URLSearchParams(`value=${text}`).get('value') ?? ''
}

function sameHex(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a, 'hex'), Buffer.from(b, 'hex')]
  return left.length === right.length && timingSafeEqual(left, right)
}
