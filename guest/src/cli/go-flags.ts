/** The sidecar's flags, as Go's `flag` package reads them. */
const GO_FLAGS = ['base64', 'port', 'loglevel', 'logfile', 'server_type', 'infile', 'keypath', 'outfile']
/** A boolean of Go's: its value stands behind an equals sign or nowhere. */
const GO_BOOLEAN = 'allowTestingMismatchedTCB'

/**
 * Writes the sidecar's flags the way this program's own parser reads them: `-port 8080`, `--port 8080` and `-port=8080`
 * become `--port=8080`, whatever the value looks like; `-help` becomes `--help`. What is no flag of the sidecar's stays.
 */
export function fromGoFlags(args: readonly string[]): string[] {
  const written: string[] = []
  for (let at = 0; at < args.length; at += 1) {
    const arg = args[at]!
    if (arg === '--') return [...written, ...args.slice(at)]
    const [, name = '', value] = /^--?([A-Za-z0-9_]+)(?:=(.*))?$/s.exec(arg) ?? []
    if (name === 'help') written.push('--help')
    else if (name === GO_BOOLEAN) written.push(`--${name}=${value ?? 'true'}`)
    else if (!GO_FLAGS.includes(name)) written.push(arg)
    else if (value !== undefined) written.push(`--${name}=${value}`)
    else if (at + 1 === args.length) written.push(`--${name}`)
    else {
      at += 1
      written.push(`--${name}=${args[at]}`)
    }
  }
  return written
}
