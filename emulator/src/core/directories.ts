import { homedir, tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'

/*
 * Where things lie that belong to a user of this machine (XDG Base Directory Specification 0.8). `env` is the process's
 * environment, given so that a test can have its own.
 */

type Environment = Readonly<Record<string, string | undefined>>

/** What may be lost: keys that take long to make. */
export function cacheDirectory(env: Environment = process.env): string {
  const home = attempt(homedir)
  const cache = env.XDG_CACHE_HOME || (home && join(home, '.cache'))
  return cache ? join(cache, 'skerry') : join(ownTemporary(), 'cache')
}

/** Where running instances leave word of themselves, and those without a data directory what must be a file. */
export function runtimeDirectory(env: Environment = process.env): string {
  return env.XDG_RUNTIME_DIR ? join(env.XDG_RUNTIME_DIR, 'skerry') : ownTemporary()
}

/** A user without an entry in the password file (`docker run --user`) has neither a name nor, without HOME, a home. */
function ownTemporary(): string {
  const name = attempt(() => userInfo().username) ?? process.getuid?.() ?? 'user'
  return join(tmpdir(), `skerry-${name}`)
}

function attempt<T>(ask: () => T): T | undefined {
  try {
    return ask()
  } catch {
    return undefined
  }
}
