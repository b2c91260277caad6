import { createHash, timingSafeEqual } from 'node:crypto'
import type { Random } from '../../core/index.ts'
import type { HubFile } from '../hub-file.ts'

/** The name of the Durable extension's system key. */
export const DURABLE_SYSTEM_KEY = 'durabletask_extension'

/**
 * Access keys, as on Azure (docs: "Work with access keys in Azure Functions"): random, made once, kept in the hub's file.
 * `authLevel` anonymous asks for none, function for a function, host or master key, admin for the master key.
 */
export interface AccessKeys {
  readonly master: string
  /** The default host key: opens every function of level `function`. */
  readonly host: string
  readonly durableSystem: string
  /** The default key of that function; made at first ask. */
  ofFunction(name: string): string
  /** Whether this request may call a function of that level. */
  allows(request: Request, level: 'anonymous' | 'function' | 'admin', functionName?: string): boolean
  /** Whether this request may call the Durable extension's webhooks. */
  allowsDurableWebhook(request: Request): boolean
}

export function openAccessKeys(hub: HubFile, random: Random): AccessKeys {
  const get = hub.db.prepare('SELECT value FROM keys WHERE scope = ? AND name = ?')
  const put = hub.db.prepare('INSERT OR IGNORE INTO keys VALUES (?, ?, ?)')
  const key = (scope: string, name: string): string => {
    const found = get.get(scope, name)
    if (found !== undefined) return found.value as string
    put.run(scope, name, random.bytes(40).toString('base64url'))
    return get.get(scope, name)?.value as string
  }
  const master = key('master', '_master')
  const host = key('host', 'default')
  const durableSystem = key('system', DURABLE_SYSTEM_KEY)
  const ofFunction = (name: string) => key('function', name.toLowerCase())
  return {
    master,
    host,
    durableSystem,
    ofFunction,
    allows(request, level, functionName) {
      if (level === 'anonymous') return true
      const given = givenKey(request)
      if (given === undefined) return false
      if (same(given, master)) return true
      if (level === 'admin') return false
      return same(given, host) || (functionName !== undefined && same(given, ofFunction(functionName)))
    },
    allowsDurableWebhook(request) {
      const given = givenKey(request)
      return given !== undefined && (same(given, durableSystem) || same(given, master))
    },
  }
}

/** The header wins over the query. */
function givenKey(request: Request): string | undefined {
  const header = request.headers.get('x-functions-key')
  if (header !== null && header !== '') return header
  for (const [name, value] of new URL(request.url).searchParams) {
    if (name.toLowerCase() === 'code' && value !== '') return value
  }
  return undefined
}

function same(a: string, b: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(a), digest(b))
}
