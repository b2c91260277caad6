import { readFileSync, realpathSync, statSync } from 'node:fs'

const TABLE = '/proc/net/unix'
/** __SO_ACCEPTCON, the column of flags. */
const LISTENING = 0x10000
/** SOCK_DGRAM: such a socket is written to without a listener. */
const DATAGRAM = 2

/**
 * Files of Unix sockets at which somebody of this machine takes connections or datagrams at the moment: those that have an
 * absolute path and are there (proc_net(5), /proc/net/unix), without links in their paths. Abstract ones belong to a network
 * namespace, and are no files.
 */
export function listeningSockets(table = readTable(), find = socketAt): string[] {
  const paths = table.split('\n').flatMap((line) => {
    const [, flags = '', type = '', path = ''] = /^\S+: \S+ \S+ (\S+) (\S+) \S+ +\d+ (\/.*)$/.exec(line) ?? []
    const takes = (Number.parseInt(flags, 16) & LISTENING) !== 0 || Number.parseInt(type, 16) === DATAGRAM
    return path !== '' && takes ? [path] : []
  })
  const found = [...new Set(paths)].map(find).filter((path) => path !== undefined)
  return [...new Set(found)]
}

function readTable(): string {
  try {
    return readFileSync(TABLE, 'utf8')
  } catch {
    return ''
  }
}

/** What this user cannot look at, its programs cannot either. */
function socketAt(path: string): string | undefined {
  try {
    return statSync(path).isSocket() ? realpathSync(path) : undefined
  } catch {
    return undefined
  }
}
