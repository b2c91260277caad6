import { createHmac, timingSafeEqual } from 'node:crypto'
import { remembered } from '../core/index.ts'

/*
 * Who may use the proxy and the control routes: whoever knows this instance's random secret. A container group gets a
 * credential of its own, derived from it, so that a request through the proxy says which group it comes from.
 */

/** The user name of the instance's own credential; a group's is its ARM id in base64url. */
const INSTANCE_USER = 'skerry'

/** Whose passwords are kept: of others, who made up a user or are many, it is derived anew. */
const MOST_USERS = 64

/** In place of a principal id. */
const ALL_IDENTITIES = 'all'

export interface InstanceCredential {
  /** `user:password` for a proxy URL. */
  userInfo(groupId?: string): string
  /** For `Authorization: Bearer` on control routes. */
  readonly controlToken: string
  /** Whose `Proxy-Authorization` this is (lower-case group id), or undefined when it is nobody's. */
  readProxyAuthorization(header: string | undefined): { readonly groupId?: string } | undefined
  isControlAuthorization(header: string | undefined): boolean
  /** What an app shows to the token service of App Service: for one identity (its principal id), or for all of them. */
  identityHeader(principalId?: string): string
  /** Whose it is; undefined when it is nobody's. */
  readIdentityHeader(secret: string): 'all' | { readonly principalId: string } | undefined
}

/** @param secret at least 32 random bytes */
export function instanceCredential(secret: Uint8Array): InstanceCredential {
  const derive = (purpose: string) => createHmac('sha256', secret).update(purpose).digest('base64url')
  const controlToken = derive('control')
  // Asked for with each connection, of the same few users.
  const passwords = new Map<string, string>()
  const passwordOf = (user: string) => remembered(passwords, user, MOST_USERS, () => derive(`proxy:${user}`))
  const identitySecret = (whose: string) => `${whose}.${derive(`identity:${whose}`)}`
  return {
    controlToken,
    userInfo(groupId) {
      const user = groupId === undefined ? INSTANCE_USER : Buffer.from(groupId.toLowerCase()).toString('base64url')
      return `${user}:${passwordOf(user)}`
    },
    readProxyAuthorization(header) {
      const encoded = /^basic +([A-Za-z0-9+/=]+)$/i.exec(header ?? '')?.[1]
      if (encoded === undefined) return undefined
      const [user = '', password = ''] = Buffer.from(encoded, 'base64').toString('utf8').split(':')
      if (!equal(password, passwordOf(user))) return undefined
      return user === INSTANCE_USER ? {} : { groupId: Buffer.from(user, 'base64url').toString('utf8') }
    },
    isControlAuthorization(header) {
      const token = /^bearer +(\S+)$/i.exec(header ?? '')?.[1]
      return token !== undefined && equal(token, controlToken)
    },
    identityHeader: (principalId = ALL_IDENTITIES) => identitySecret(principalId),
    readIdentityHeader(secret) {
      const [whose = ''] = secret.split('.')
      if (!equal(secret, identitySecret(whose))) return undefined
      return whose === ALL_IDENTITIES ? 'all' : { principalId: whose }
    },
  }
}

function equal(found: string, wanted: string): boolean {
  const [a, b] = [Buffer.from(found), Buffer.from(wanted)]
  return a.length === b.length && timingSafeEqual(a, b)
}
