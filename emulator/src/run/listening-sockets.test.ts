import { describe, expect, it } from 'vitest'
import { listeningSockets } from './listening-sockets.ts'

// As Linux 6.18 writes it.
const TABLE = `Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 2767030 /var/run/docker.sock
0000000000000000: 00000003 00000000 00000000 0001 03 2767031 /var/run/docker.sock
0000000000000000: 00000002 00000000 00010000 0001 01 2767039 /run/docker.sock
0000000000000000: 00000003 00000000 00000000 0001 03 2767032
0000000000000000: 00000002 00000000 00010000 0001 01 2767033 @/tmp/.X11-unix/X0
0000000000000000: 00000002 00000000 00010000 0005 01 2767034 /tmp/a folder/agent.1
0000000000000000: 00000002 00000000 00000000 0002 01 2767035 /dev/log
0000000000000000: 00000003 00000000 00000000 0001 03 2767036 /tmp/connected
0000000000000000: 00000002 00000000 00010000 0001 01 2767037 relative.sock
0000000000000000: 00000002 00000000 00010000 0001 01 2767038 /gone.sock
`

describe('the sockets of this machine', () => {
  it('are those at which somebody listens or takes datagrams, once each, where their file still is', () => {
    const find = (path: string) => (path === '/gone.sock' ? undefined : path.replace('/var/run', '/run'))
    expect(listeningSockets(TABLE, find)).toEqual(['/run/docker.sock', '/tmp/a folder/agent.1', '/dev/log'])
  })

  it('are none where the table cannot be read', () => {
    expect(listeningSockets('')).toEqual([])
  })
})
