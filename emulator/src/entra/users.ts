import { scrypt, scryptSync, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { COLLECTIONS, type EmulatorContext, type UserRecord } from '../core/index.ts'
import { DirectoryError } from './directory-error.ts'

/** The domain of user names that say none of their own: reserved for examples (RFC 2606, section 2). */
export const DEFAULT_DOMAIN = 'skerry.example'

export interface UserRequest {
  /** `ada@skerry.example`; without a domain it gets `skerry.example`. Unique in the tenant, compared without case. */
  readonly userPrincipalName: string
  /** Default: the part before the `@`. */
  readonly displayName?: string
  /** A UUID; chosen at random when absent. */
  readonly objectId?: string
  /** Only its scrypt hash is kept. Absent: signs in at the local page or by `approveDeviceCode` alone. */
  readonly password?: string
}

/**
 * Makes the user exist as requested and returns it. One that exists (by name or object id) keeps its object id; what is
 * given replaces what it had. Role assignments name `objectId`. @throws DirectoryError
 */
export function ensureUser(ctx: EmulatorContext, request: UserRequest): UserRecord {
  const name = request.userPrincipalName.trim()
  const userPrincipalName = name.includes('@') ? name : `${name}@${DEFAULT_DOMAIN}`
  if (!/^[^\s@]{1,64}@[a-z0-9][a-z0-9.-]*$/i.test(userPrincipalName)) {
    throw new DirectoryError('userPrincipalName', `${JSON.stringify(name)} is not a name such as ada@${DEFAULT_DOMAIN}`)
  }
  const objectId = request.objectId?.toLowerCase()
  if (objectId !== undefined && !UUID.test(objectId)) throw new DirectoryError('objectId', 'is not a UUID')
  return ctx.store.transaction(() => {
    const users = usersOf(ctx)
    const known = findUser(ctx, userPrincipalName) ?? (objectId === undefined ? undefined : users.get(objectId))
    if (known !== undefined && objectId !== undefined && known.objectId !== objectId) {
      throw new DirectoryError('objectId', `${userPrincipalName} exists with another object id`)
    }
    const password = request.password === undefined ? known?.password : hashPassword(ctx, request.password)
    const user: UserRecord = {
      objectId: known?.objectId ?? objectId ?? ctx.random.uuid(),
      userPrincipalName,
      displayName: request.displayName ?? known?.displayName ?? userPrincipalName.split('@')[0]!,
      ...(password && { password }),
    }
    users.put(user.objectId, user)
    return user
  })
}

/** By user principal name (without case) or object id. */
export function findUser(ctx: EmulatorContext, nameOrId: string): UserRecord | undefined {
  const wanted = nameOrId.trim().toLowerCase()
  const users = usersOf(ctx)
  return users.get(wanted) ?? users.values().find((user) => user.userPrincipalName.toLowerCase() === wanted)
}

/** In the order of their names. */
export function listUsers(ctx: EmulatorContext): UserRecord[] {
  return usersOf(ctx)
    .values()
    .sort((a, b) => (a.userPrincipalName < b.userPrincipalName ? -1 : 1))
}

const scryptAside = promisify<string, Buffer, number, Buffer>(scrypt)

/** False also for a user that has no password. On a thread of its own: it takes as long as a hundred signatures. */
export async function isPasswordOf(user: UserRecord, password: string): Promise<boolean> {
  if (user.password === undefined) return false
  const wanted = Buffer.from(user.password.hash, 'base64')
  return timingSafeEqual(await scryptAside(password, Buffer.from(user.password.salt, 'base64'), wanted.length), wanted)
}

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/

function hashPassword(ctx: EmulatorContext, password: string) {
  if (password === '') throw new DirectoryError('password', 'is empty')
  const salt = ctx.random.bytes(16)
  return { salt: salt.toString('base64'), hash: scryptSync(password, salt, 32).toString('base64') }
}

function usersOf(ctx: EmulatorContext) {
  return ctx.store.collection<UserRecord>(COLLECTIONS.users)
}
