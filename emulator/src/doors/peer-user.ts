import { readFile } from 'node:fs/promises'
import type { Socket } from 'node:net'

/** Where the system does not say whose the other end is, and where there is no other end any more. */
export type PeerUser = number | 'unknown' | 'gone'

/**
 * The user whose program is at the other end of a connection over loopback, as Linux's socket tables have it
 * (proc_net_tcp: local and remote address in hexadecimal, the user in column 8, the inode in column 10).
 */
export async function peerUser(socket: Socket, tables = ['/proc/net/tcp', '/proc/net/tcp6']): Promise<PeerUser> {
  const { remotePort, localPort } = socket
  if (remotePort === undefined || localPort === undefined) return 'gone'
  const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, '0')
  let known = false
  for (const table of tables) {
    const text = await readFile(table, 'latin1').catch(() => '')
    // The entry of the other end: our remote port is its local one.
    for (const line of linesWith(text, `:${hex(remotePort)} `)) {
      const [, local, remote, , , , , user, , inode] = line.trim().split(/\s+/)
      if (isLoopback(local, hex(remotePort)) && isLoopback(remote, hex(localPort))) {
        // A connection that its program has closed belongs to no file, and is listed as root's.
        return inode === '0' ? 'gone' : Number(user)
      }
    }
    // Our own end, or the port that listens: the tables are those of this network.
    known ||= new RegExp(`^ *\\d+: [0-9A-F]+:${hex(localPort)} `, 'm').test(text)
  }
  return known ? 'gone' : 'unknown'
}

/** A table has a line for each connection of the machine, those that ended a minute ago too: only a few are taken apart. */
function* linesWith(text: string, wanted: string): Iterable<string> {
  for (let at = text.indexOf(wanted); at >= 0; ) {
    const end = text.indexOf('\n', at)
    yield text.slice(text.lastIndexOf('\n', at) + 1, end < 0 ? undefined : end)
    at = end < 0 ? -1 : text.indexOf(wanted, end)
  }
}

/** 127.0.0.1, also as an IPv6 socket has it. Words of an address stand in the machine's byte order. */
function isLoopback(end: string | undefined, port: string): boolean {
  return (
    end !== undefined && /^(?:0{16}F{4}0{4}|0{16}0{4}F{4})?(?:0100007F|7F000001):/.test(end) && end.endsWith(`:${port}`)
  )
}

/**
 * Whether the other end belongs to this process's own user or to root; true where there is no telling. Who does not wait
 * for an answer is nobody: a request could be sent and its sender gone before the system is asked.
 */
export async function isOwnUser(socket: Socket): Promise<boolean> {
  const user = await peerUser(socket)
  return user === 'unknown' || user === 0 || user === process.getuid?.()
}
