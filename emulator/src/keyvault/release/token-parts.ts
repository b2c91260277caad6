/** A JWT in compact form (RFC 7515 section 7.1, RFC 7519), taken apart and not yet verified. */
export interface ParsedToken {
  readonly header: Readonly<Record<string, unknown>>
  readonly claims: Readonly<Record<string, unknown>>
}

/** In characters. An attestation token of Azure has less than 20,000. */
export const LARGEST_TOKEN = 256 * 1024

/** The parts of a token, or in a few words why it has none. */
export function parseToken(token: string): ParsedToken | { readonly problem: string } {
  if (token.length > LARGEST_TOKEN) return { problem: `longer than ${LARGEST_TOKEN} characters` }
  const parts = token.split('.', 6)
  if (parts.length === 5) return { problem: 'an encrypted JWT (JWE)' }
  if (parts.length !== 3) return { problem: 'something else' }
  const header = jsonObject(parts[0]!)
  if (header === undefined) return { problem: 'a header that is no JSON object' }
  if (header.b64 === false) return { problem: 'a payload that is not encoded (RFC 7797)' }
  // Libraries are lenient here; RFC 7515 section 2 is not. Empty is what an unsigned token has.
  if (!/^[A-Za-z0-9_-]*$/.test(parts[2]!) || parts[2]!.length % 4 === 1)
    return { problem: 'a signature that is not base64url' }
  const claims = jsonObject(parts[1]!)
  if (claims !== undefined) return { header, claims }
  const nested = typeof header.cty === 'string' && header.cty.toUpperCase() === 'JWT'
  return { problem: nested ? 'a JWT in a JWT' : 'a payload that is no JSON object' }
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

function jsonObject(part: string): Readonly<Record<string, unknown>> | undefined {
  if (!/^[A-Za-z0-9_-]+$/.test(part)) return undefined
  try {
    const value: unknown = JSON.parse(utf8.decode(Buffer.from(part, 'base64url')))
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {
    // No JSON, or no UTF-8.
  }
  return undefined
}
