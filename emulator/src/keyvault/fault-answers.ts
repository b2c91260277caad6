import type { EmulatorContext, VaultRecord } from '../core/index.ts'
import { KeyVaultError } from './errors.ts'

/*
 * The refusals of the fault plan (core/faults.ts). Both stand after the token is verified, where the service counts and
 * looks.
 */

/** Refuses every n-th request to a vault. Managed HSMs do not throttle. */
export function createThrottle({ faults }: EmulatorContext): (vault: VaultRecord) => void {
  let requests = 0
  return ({ kind }) => {
    const throttle = faults.keyVault?.throttle
    if (throttle === undefined || kind === 'managedHsm') return
    requests += 1
    if (requests % throttle.every !== 0) return
    const { retryAfterSeconds } = throttle
    throw new KeyVaultError(
      429,
      'Throttled',
      'Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached',
      {
        ...(retryAfterSeconds === undefined ? {} : { headers: { 'Retry-After': `${retryAfterSeconds}` } }),
        evidence: { summary: `The fault plan throttles every ${throttle.every}. request.` },
      },
    )
  }
}

/** Entra writes `iat` five minutes before the time at which it issues a token. */
const BACKDATED_MS = 300_000

/**
 * Refuses a token that was issued before the plan's revocation, with the claims challenge of continuous access evaluation
 * (Microsoft identity platform, "Claims challenges, claims requests and client capabilities"): the client is to come back
 * with a token whose `nbf` is not before it. `readIssuedAt` gives seconds since the epoch, as the token has it.
 */
export function requireUnrevoked({ faults }: EmulatorContext, readIssuedAt: () => number | undefined): void {
  const revokedBefore = faults.keyVault?.tokensRevokedBefore
  if (revokedBefore === undefined) return
  const issuedAt = readIssuedAt()
  if (issuedAt !== undefined && issuedAt * 1000 + BACKDATED_MS >= revokedBefore) return
  const value = String(Math.ceil(revokedBefore / 1000))
  const claims = Buffer.from(JSON.stringify({ access_token: { nbf: { essential: true, value } } })).toString('base64')
  const parameters = {
    realm: '',
    authorization_uri: 'https://login.microsoftonline.com/common/oauth2/authorize',
    error: 'insufficient_claims',
    claims,
  }
  const challenge = Object.entries(parameters).map(([name, text]) => `${name}="${text}"`)
  throw new KeyVaultError(
    401,
    'Unauthorized',
    'The access token was revoked; the claims challenge says what is wanted.',
    {
      headers: { 'WWW-Authenticate': `Bearer ${challenge.join(', ')}` },
      evidence: { summary: 'The fault plan revoked the tokens that were issued before its time.' },
    },
  )
}
