import { readFileSync, statSync } from 'node:fs'

const TABLE = '/proc/net/unix'
/** __SO_ACCEPTCON, the column of flags. */
const LISTENING = 0x10000
/** SOCK_DGRAM: such a socket is written to without a listener. */
const DATAGRAM = 2

/**
 * Files of Unix sockets at which somebody of this machine takes connections or datagrams at the moment: those that have an
 * absolute path and are there (proc_net(5), /proc/net/unix). Abstract ones belong to a network namespace, and are no files.
 */
export function listeningSockets(table = readTable(), isSocket = socketAt): string[] {
  const paths = table.split('\n').flatMap((line) => {
    const [, flags = '', type = '', path = ''] = /^\S+: \S+ \S+ (\S+) (\S+) \S+ +\d+ (\/.*)$/.exec(line) ?? []
    const takes = (Number.parseInt(flags, 16) & LISTENING) !== 0 || Number.parseInt(type, 16) === DATAGRAM
    return path !== '' && takes ? [path] : []
  })
  return [...new Set(paths)].filter(isSocket)
}

function readTable(): string {
  try {
    return readFileSync(TABLE, 'utf8')
  } catch {
    return ''
  }
}

/** What this user cannot look at, its programs cannot either. */
function socketAt(path: string): boolean {
  try {
    return statSync(path).isSocket()
  } catch {
    return false
  }
}
