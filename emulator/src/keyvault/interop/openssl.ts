import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/*
 * For tests: OpenSSL's command line, the second implementation that opens what we close and closes what we open. Where it
 * is absent, or too old for what is asked, the tests say so and skip.
 */

const version = spawnSync('openssl', ['version'], { encoding: 'utf8' })

/** `openssl 3.…` is on the PATH; otherwise why not. */
export const OPENSSL: { readonly usable: boolean; readonly why: string } =
  version.status === 0 && /^OpenSSL 3\./.test(version.stdout)
    ? { usable: true, why: version.stdout.trim() }
    : { usable: false, why: 'there is no openssl 3 on the PATH' }

/** Runs a command over named files, and gives the bytes of the file `out`. Keys are in files of this user's alone. */
export function openssl(
  files: Readonly<Record<string, string | Uint8Array>>,
  args: (path: (name: string) => string) => readonly string[],
): Buffer {
  const directory = mkdtempSync(join(tmpdir(), 'skerry-openssl-'))
  const path = (name: string) => join(directory, name)
  try {
    for (const [name, bytes] of Object.entries(files)) writeFileSync(path(name), bytes, { mode: 0o600 })
    const { status, stderr } = spawnSync('openssl', args(path), { encoding: 'utf8', timeout: 20_000 })
    if (status !== 0) throw new Error(`openssl ${args((name) => name).join(' ')}: ${stderr}`)
    return readFileSync(path('out'))
  } finally {
    rmSync(directory, { recursive: true })
  }
}
