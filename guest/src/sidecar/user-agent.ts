import type { Fetch } from '../http/upstream.ts'
import { decodeBase64Url, decodeUtf8 } from '../wire/index.ts'

/** How the sidecar names itself to the attestation service, as the original does: support looks for it there. */
export const DEFAULT_USER_AGENT = 'ConfidentialSkrContainer'

/**
 * The name with the subscription, or the client, of an access token behind it; the bare name when the token says neither.
 * Reads the token without verifying it: nothing is decided by it.
 */
export function userAgentOf(accessToken: string): string {
  const claims = claimsOf(accessToken)
  const [, subscriptions, subscription] = text(claims.xms_az_rid).split('/')
  if (subscriptions === 'subscriptions' && isWord(subscription))
    return `${DEFAULT_USER_AGENT} subscription_id=${subscription}`
  const client = text(claims.appid)
  return isWord(client) ? `${DEFAULT_USER_AGENT} client_id=${client}` : DEFAULT_USER_AGENT
}

/** Says this name to the attestation service, and to nobody else. */
export function withUserAgent(fetch: Fetch, userAgent: () => string): Fetch {
  return (input, init = {}) => {
    if (!URL.parse(input)?.pathname.startsWith('/attest/')) return fetch(input, init)
    const headers = new Headers(init.headers)
    headers.set('User-Agent', userAgent())
    return fetch(input, { ...init, headers })
  }
}

function claimsOf(token: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(decodeUtf8(decodeBase64Url(token.split('.')[1] ?? '')))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '')

/** What may stand in a header. */
const isWord = (value: string | undefined): value is string => value !== undefined && /^[\w.-]{1,128}$/.test(value)
