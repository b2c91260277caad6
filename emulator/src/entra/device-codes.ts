import type { Collection, EmulatorContext, UserRecord } from '../core/index.ts'
import { findClient } from './applications.ts'
import { sha256Hex } from './directory.ts'
import { DirectoryError } from './directory-error.ts'
import { authorizationDeclined, authorizationPending, expiredDeviceCode, unknownDeviceCode } from './user-errors.ts'
import { findUser } from './users.ts'

/** The device flow (RFC 8628) with Entra's times, in seconds. */
export const DEVICE_CODE_LIFETIME = 900
export const DEVICE_CODE_INTERVAL = 5

interface DeviceCodeRecord {
  readonly userCode: string
  readonly clientId: string
  readonly scope: string
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
  readonly decision?: { readonly userId: string } | 'declined'
}

/** A request for a device code that waits for a person. */
export interface PendingDeviceCode {
  readonly userCode: string
  readonly clientId: string
  readonly clientName: string
  /** As the client asked. */
  readonly scope: string
}

/** Without letters and digits that look alike: 32 of them, so that every byte is as likely. */
const ALPHABET = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789'
const USER_CODE_LENGTH = 9
/** How many may wait at once: the oldest go first. */
const MOST = 1_000
/** So long after its end a code is still told to be expired, not unknown. */
const REMEMBERED_MS = 15 * 60_000

export function createDeviceCode(
  ctx: EmulatorContext,
  { clientId, scope }: { readonly clientId: string; readonly scope: string },
): { readonly deviceCode: string; readonly userCode: string } {
  const deviceCode = `DAQABAAEAAAD${ctx.random.bytes(96).toString('base64url')}`
  const userCode = [...ctx.random.bytes(USER_CODE_LENGTH)].map((byte) => ALPHABET[byte % ALPHABET.length]).join('')
  const now = ctx.clock.now()
  ctx.store.transaction(() => {
    const records = codesOf(ctx)
    prune(records, now)
    records.put(sha256Hex(deviceCode), { userCode, clientId, scope, expiresAt: now + DEVICE_CODE_LIFETIME * 1000 })
  })
  return { deviceCode, userCode }
}

/**
 * Who signed in with that code, once: the code is used up then.
 * @throws TokenServiceError authorization_pending, authorization_declined, expired_token, bad_verification_code
 */
export function redeemDeviceCode(
  ctx: EmulatorContext,
  deviceCode: string,
  clientId: string,
): { readonly user: UserRecord; readonly scope: string } {
  const records = codesOf(ctx)
  const key = sha256Hex(deviceCode)
  const record = records.get(key)
  if (record === undefined || record.clientId !== clientId) throw unknownDeviceCode()
  if (record.expiresAt <= ctx.clock.now()) throw expiredDeviceCode()
  if (record.decision === undefined) throw authorizationPending()
  records.delete(key)
  if (record.decision === 'declined') throw authorizationDeclined()
  const user = findUser(ctx, record.decision.userId)
  if (user === undefined) throw unknownDeviceCode()
  return { user, scope: record.scope }
}

/** What waits under that user code (case and dashes do not matter). @throws DirectoryError for an unknown or expired one */
export function findDeviceCode(ctx: EmulatorContext, userCode: string): PendingDeviceCode {
  const { userCode: code, clientId, scope } = pending(ctx, userCode)[1]
  return { userCode: code, clientId, clientName: findClient(ctx, clientId)?.displayName ?? clientId, scope }
}

/**
 * Signs the user in at the device that shows this code: its next poll gets the tokens. Whoever calls this has made sure
 * that the user is who they say.
 * @param user user principal name or object id
 * @throws DirectoryError for an unknown or expired code (`userCode`), or an unknown user (`user`)
 */
export function approveDeviceCode(ctx: EmulatorContext, userCode: string, user: string): PendingDeviceCode {
  const known = findUser(ctx, user)
  if (known === undefined) throw new DirectoryError('user', `there is no user ${JSON.stringify(user)}`)
  return decide(ctx, userCode, { userId: known.objectId }, `signed in as ${known.userPrincipalName}`)
}

/** Tells the device that the person said no. @throws DirectoryError for an unknown or expired code */
export function declineDeviceCode(ctx: EmulatorContext, userCode: string): PendingDeviceCode {
  return decide(ctx, userCode, 'declined', 'refused to sign in')
}

function decide(
  ctx: EmulatorContext,
  userCode: string,
  decision: NonNullable<DeviceCodeRecord['decision']>,
  what: string,
): PendingDeviceCode {
  const found = ctx.store.transaction(() => {
    const [key, record] = pending(ctx, userCode)
    codesOf(ctx).put(key, { ...record, decision })
    return findDeviceCode(ctx, record.userCode)
  })
  ctx.journal.write({
    service: 'entra',
    operation: 'deviceCode',
    outcome: decision === 'declined' ? 'denied' : 'allowed',
    subject: found.clientId,
    summary: `a person ${what} at the device of ${found.clientName}, for ${found.scope}`,
  })
  return found
}

function pending(ctx: EmulatorContext, userCode: string): [key: string, record: DeviceCodeRecord] {
  const wanted = userCode.toUpperCase().replaceAll(/[\s-]/g, '')
  const found = codesOf(ctx)
    .entries()
    .find(([, record]) => record.userCode === wanted && record.expiresAt > ctx.clock.now())
  if (found === undefined)
    throw new DirectoryError('userCode', 'no device waits under this code; codes expire after 15 minutes')
  return found
}

function prune(records: Collection<DeviceCodeRecord>, now: number): void {
  const newestFirst = records.entries().sort(([, a], [, b]) => b.expiresAt - a.expiresAt)
  newestFirst.forEach(([key, { expiresAt }], at) => {
    if (at >= MOST || expiresAt + REMEMBERED_MS < now) records.delete(key)
  })
}

function codesOf(ctx: EmulatorContext) {
  return ctx.store.collection<DeviceCodeRecord>('entraDeviceCodes')
}
