import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Writes a security-context directory into a folder and gives its path.
 * @param files name to content, as the guest agent writes them: base64 text. Empty content is not written.
 */
export function writeSecurityContext(folder: string, files: Readonly<Record<string, string>>): string {
  const directory = join(folder, `security-context-${process.pid}`)
  mkdirSync(directory, { mode: 0o755 })
  for (const [name, content] of Object.entries(files)) {
    if (content !== '') writeFileSync(join(directory, name), content, { mode: 0o644 })
  }
  return directory
}
