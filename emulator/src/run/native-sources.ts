import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Left by the build beside what it made: the hash of the sources, in hex, as `sourcesHash` gives it. */
const STAMP = 'build/Release/.sources'

/**
 * Whether what lies in a native folder's `build` was made from other sources than lie in the folder: an old launcher under
 * new TypeScript fails in odd ways. False where nothing says what it was made from.
 */
export function isStale(folder: string): boolean {
  const stamp = join(folder, STAMP)
  return existsSync(stamp) && readFileSync(stamp, 'utf8').trim() !== sourcesHash(folder)
}

/** SHA-256 over name, NUL, content, NUL of each source in the order of their paths; the build script says the same. */
export function sourcesHash(folder: string): string {
  const hash = createHash('sha256')
  for (const name of sourcesBelow(folder)) {
    hash
      .update(`/${name}\0`)
      .update(readFileSync(join(folder, name)))
      .update('\0')
  }
  return hash.digest('hex')
}

function sourcesBelow(folder: string, below = ''): string[] {
  return readdirSync(join(folder, below), { withFileTypes: true })
    .flatMap((entry) => {
      const name = below === '' ? entry.name : `${below}/${entry.name}`
      if (entry.isDirectory()) return name === 'build' || entry.name === '.building' ? [] : sourcesBelow(folder, name)
      return /\.(c|cc|h|gyp|gypi)$/.test(entry.name) ? [name] : []
    })
    .sort()
}
