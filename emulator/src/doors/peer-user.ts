import { readFile } from 'node:fs/promises'
import type { Socket } from 'node:net'

/**
 * The user whose program is at the other end of a connection over loopback, as Linux's socket tables have it
 * (proc_net_tcp: local and remote address in hexadecimal, the user in column 8). Undefined where there is no telling.
 */
export async function peerUser(
  socket: Socket,
  tables = ['/proc/net/tcp', '/proc/net/tcp6'],
): Promise<number | undefined> {
  const { remotePort, localPort } = socket
  if (remotePort === undefined || localPort === undefined) return undefined
  const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, '0')
  for (const table of tables) {
    const lines = (await readFile(table, 'utf8').catch(() => '')).split('\n')
    for (const line of lines) {
      // The entry of the other end: our remote port is its local one.
      const [, local, remote, , , , , user] = line.trim().split(/\s+/)
      if (isLoopback(local, hex(remotePort)) && isLoopback(remote, hex(localPort))) return Number(user)
    }
  }
  return undefined
}

/** 127.0.0.1, also as an IPv6 socket has it. Words of an address stand in the machine's byte order. */
function isLoopback(end: string | undefined, port: string): boolean {
  return (
    end !== undefined && /^(?:0{16}F{4}0{4}|0{16}0{4}F{4})?(?:0100007F|7F000001):/.test(end) && end.endsWith(`:${port}`)
  )
}

/** Whether the other end belongs to this process's own user or to root; true where there is no telling. */
export async function isOwnUser(socket: Socket): Promise<boolean> {
  const user = await peerUser(socket)
  return user === undefined || user === 0 || user === process.getuid?.()
}
