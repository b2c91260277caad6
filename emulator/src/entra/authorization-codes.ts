import { createHash, timingSafeEqual } from 'node:crypto'
import type { EmulatorContext, UserRecord } from '../core/index.ts'
import { sha256Hex } from './directory.ts'
import { invalidGrant, invalidVerifier, redeemedCode } from './user-errors.ts'
import { findUser } from './users.ts'

/** Entra's codes live ten minutes. */
const LIFETIME_MS = 10 * 60_000
const MOST = 1_000

/** What a browser was sent back with a code for. */
export interface Authorization {
  readonly userId: string
  readonly clientId: string
  readonly redirectUri: string
  readonly scope: string
  readonly nonce?: string
  /** RFC 7636: the S256 challenge; public clients must have one. */
  readonly codeChallenge?: string
}

interface AuthorizationRecord extends Authorization {
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
  readonly redeemed?: true
}

/** A code for the redirect. Only its SHA-256 is kept. */
export function createAuthorizationCode(ctx: EmulatorContext, authorization: Authorization): string {
  const code = `1.${ctx.random.bytes(96).toString('base64url')}`
  const now = ctx.clock.now()
  ctx.store.transaction(() => {
    const records = codesOf(ctx)
    const newestFirst = records.entries().sort(([, a], [, b]) => b.expiresAt - a.expiresAt)
    newestFirst.forEach(([key, { expiresAt }], at) => {
      if (at >= MOST || expiresAt < now) records.delete(key)
    })
    records.put(sha256Hex(code), { ...authorization, expiresAt: now + LIFETIME_MS })
  })
  return code
}

/** @throws TokenServiceError for a code that is unknown, expired, used, of another client or redirect, or whose verifier differs */
export function redeemAuthorizationCode(
  ctx: EmulatorContext,
  asked: { code: string; clientId: string; redirectUri: string; verifier: string | undefined },
): { readonly user: UserRecord; readonly scope: string; readonly nonce?: string } {
  const records = codesOf(ctx)
  const key = sha256Hex(asked.code)
  const record = records.get(key)
  if (record === undefined) throw invalidGrant('an authorization code that was not issued here')
  if (record.clientId !== asked.clientId) throw invalidGrant(`an authorization code of the client ${record.clientId}`)
  if (record.expiresAt <= ctx.clock.now()) throw invalidGrant('an authorization code that has expired')
  if (record.redeemed) throw redeemedCode()
  if (record.redirectUri !== asked.redirectUri) throw invalidGrant(`an authorization code for ${record.redirectUri}`)
  // One try: a verifier cannot be guessed.
  records.put(key, { ...record, redeemed: true })
  if (record.codeChallenge !== undefined && !isVerifier(record.codeChallenge, asked.verifier)) throw invalidVerifier()
  const user = findUser(ctx, record.userId)
  if (user === undefined) throw invalidGrant('an authorization code of a user who is gone')
  return { user, scope: record.scope, ...(record.nonce !== undefined && { nonce: record.nonce }) }
}

function isVerifier(challenge: string, verifier: string | undefined): boolean {
  const found = Buffer.from(
    createHash('sha256')
      .update(verifier ?? '')
      .digest('base64url'),
  )
  const wanted = Buffer.from(challenge)
  return verifier !== undefined && found.length === wanted.length && timingSafeEqual(found, wanted)
}

function codesOf(ctx: EmulatorContext) {
  return ctx.store.collection<AuthorizationRecord>('entraAuthorizationCodes')
}
