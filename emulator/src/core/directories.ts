import { homedir, tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'

/*
 * Where things lie that belong to a user of this machine (XDG Base Directory Specification 0.8). `env` is the process's
 * environment, given so that a test can have its own.
 */

type Environment = Readonly<Record<string, string | undefined>>

/** What may be lost: keys that take long to make. */
export function cacheDirectory(env: Environment = process.env): string {
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'skerry')
}

/** Where running instances leave word of themselves, and those without a data directory what must be a file. */
export function runtimeDirectory(env: Environment = process.env): string {
  return env.XDG_RUNTIME_DIR ? join(env.XDG_RUNTIME_DIR, 'skerry') : join(tmpdir(), `skerry-${userInfo().username}`)
}
