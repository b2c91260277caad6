import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { isOwnUser, peerUser } from './peer-user.ts'

describe('the user at the other end of a connection over loopback', () => {
  let client: Socket
  let accepted: Socket
  let close: () => void
  const connectTo = async (host: string) => {
    const server = createServer()
    const arrived = new Promise<Socket>((resolve) => server.once('connection', resolve))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    client = connect((server.address() as { port: number }).port, host)
    accepted = await arrived
    close = () => {
      client.destroy()
      accepted.destroy()
      server.close()
    }
  }
  beforeEach(() => connectTo('127.0.0.1'))
  afterEach(() => close())

  const onLinux = it.runIf(process.platform === 'linux')
  onLinux('is this process’s own when it connects to itself', async () => {
    expect(await peerUser(accepted)).toBe(process.getuid?.())
    expect(await isOwnUser(accepted)).toBe(true)
  })

  onLinux('is known too when the client has an IPv6 socket', async () => {
    close()
    await connectTo('::ffff:127.0.0.1')
    expect(await peerUser(accepted)).toBe(process.getuid?.())
  })

  it('is read from the other end’s entry, not from our own, and another user’s is not ours', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'skerry-peer-'))
    const table = join(folder, 'tcp')
    const hex = (port: number | undefined) => (port ?? 0).toString(16).toUpperCase().padStart(4, '0')
    const [ours, theirs] = [hex(accepted.localPort), hex(accepted.remotePort)]
    const line = (local: string, remote: string, user: number) =>
      `   0: 0100007F:${local} 0100007F:${remote} 01 00000000:00000000 00:00000000 00000000  ${user}        0 1 1 0`
    writeFileSync(table, ['  sl  local_address', line(ours, theirs, 1000), line(theirs, ours, 65534)].join('\n'))
    try {
      expect(await peerUser(accepted, [table])).toBe(65534)
      expect(await peerUser(accepted, [join(folder, 'absent')])).toBe('unknown')
      writeFileSync(table, ['  sl  local_address', line(ours, theirs, 1000)].join('\n'))
      expect(await peerUser(accepted, [table])).toBe('gone')
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  // Such an entry has no file any more and is listed as root's, whoever closed it.
  onLinux('is nobody any more when it has closed its end, having said all it had to', async () => {
    await new Promise((resolve) => client.write('a whole request', resolve))
    const ended = new Promise((resolve) => accepted.once('end', resolve))
    client.destroy()
    accepted.resume()
    await ended
    expect(await isOwnUser(accepted)).toBe(false)
  })
})
