/** The sidecar's flags as its image's start script writes them: one dash, value behind it or after an equals sign. */
const GO_FLAGS = [
  'base64',
  'port',
  'loglevel',
  'logfile',
  'server_type',
  'infile',
  'keypath',
  'outfile',
  'allowTestingMismatchedTCB',
]

/** Writes `-port 8080` and `-port=8080` the way this program's own parser reads them. */
export function fromGoFlags(args: readonly string[]): string[] {
  return args.map((arg) => {
    const [, name, rest = ''] = /^-([A-Za-z0-9_]+)(=.*)?$/s.exec(arg) ?? []
    return name !== undefined && GO_FLAGS.includes(name) ? `--${name}${rest}` : arg
  })
}
