import { missingParameter } from './errors.ts'

/** The two generations of the token endpoint: `/oauth2/token` takes a resource, `/oauth2/v2.0/token` a scope. */
export type EndpointVersion = 'v1' | 'v2'

/** A request at the token endpoint, before anything of it is believed. */
export interface TokenForm {
  readonly version: EndpointVersion
  /** Of the path: the tenant's id, `common` or `organizations`. */
  readonly tenant: string
  readonly form: URLSearchParams
  /** Out of the form or a Basic header (RFC 6749, section 2.3.1). */
  readonly clientId: string
  readonly clientSecret: string | undefined
}

/** @throws TokenServiceError when no client is named */
export function readTokenForm(
  version: EndpointVersion,
  tenant: string,
  form: URLSearchParams,
  authorization: string | undefined,
): TokenForm {
  if (!form.get('grant_type')) throw missingParameter('grant_type')
  const basic = readBasic(authorization)
  const clientId = form.get('client_id') || basic?.clientId
  if (!clientId) throw missingParameter('client_id')
  return {
    version,
    tenant,
    form,
    clientId,
    clientSecret: form.get('client_secret') || basic?.clientSecret || undefined,
  }
}

/** @throws TokenServiceError AADSTS900144 */
export function required(form: URLSearchParams, name: string): string {
  const value = form.get(name)
  if (!value) throw missingParameter(name)
  return value
}

function readBasic(authorization: string | undefined): { clientId: string; clientSecret: string } | undefined {
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
