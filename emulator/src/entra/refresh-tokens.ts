import type { Collection, EmulatorContext, UserRecord } from '../core/index.ts'
import { sha256Hex } from './directory.ts'
import { expiredRefreshToken, invalidGrant } from './user-errors.ts'
import { findUser } from './users.ts'

/** Entra's refresh tokens live 90 days, and using one does not end it: the client is asked to keep the newest. */
const LIFETIME_MS = 90 * 24 * 3600 * 1000

interface RefreshTokenRecord {
  readonly userId: string
  readonly clientId: string
  /** Milliseconds since the epoch. */
  readonly issuedAt: number
}

/** How many are kept: the oldest go first. */
const MOST = 10_000

/** A new refresh token of the user for the client. Only its SHA-256 is kept. */
export function issueRefreshToken(
  ctx: EmulatorContext,
  { user, clientId }: { readonly user: UserRecord; readonly clientId: string },
): string {
  const token = `1.${ctx.random.bytes(64).toString('base64url')}`
  const issuedAt = ctx.clock.now()
  const records = tokensOf(ctx)
  ctx.store.transaction(() => {
    // Looking at all of them once in a while is enough to let none gather.
    if (ctx.random.bytes(1)[0]! < 4) prune(records, issuedAt)
    records.put(sha256Hex(token), { userId: user.objectId, clientId, issuedAt })
  })
  return token
}

/** Whose refresh token of this client it is. @throws TokenServiceError */
export function readRefreshToken(ctx: EmulatorContext, token: string, clientId: string): UserRecord {
  const record = tokensOf(ctx).get(sha256Hex(token))
  if (record === undefined) throw invalidGrant('a refresh token that was not issued here')
  if (record.clientId !== clientId) throw invalidGrant(`a refresh token of the client ${record.clientId}`)
  if (record.issuedAt + LIFETIME_MS < ctx.clock.now()) {
    throw expiredRefreshToken(new Date(record.issuedAt).toISOString(), '90.00:00:00')
  }
  const user = findUser(ctx, record.userId)
  if (user === undefined) throw invalidGrant('a refresh token of a user who is gone')
  return user
}

function prune(records: Collection<RefreshTokenRecord>, now: number): void {
  const newestFirst = records.entries().sort(([, a], [, b]) => b.issuedAt - a.issuedAt)
  newestFirst.forEach(([key, { issuedAt }], at) => {
    if (at >= MOST || issuedAt + LIFETIME_MS < now) records.delete(key)
  })
}

function tokensOf(ctx: EmulatorContext) {
  return ctx.store.collection<RefreshTokenRecord>('entraRefreshTokens')
}
