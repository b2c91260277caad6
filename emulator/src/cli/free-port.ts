import { createServer } from 'node:net'

/** Thrown before anything is made for a command that could not listen. */
export class PortError extends Error {
  readonly code = 'ERR_PORT_IN_USE'
}

/** @throws PortError naming the flag when this port of 127.0.0.1 cannot be listened on; port 0 always can */
export async function requireFreePort(flag: string, port: number): Promise<void> {
  if (port === 0) return
  const probe = createServer()
  try {
    await new Promise<void>((resolve, reject) => {
      probe.once('error', reject)
      probe.listen({ port, host: '127.0.0.1' }, resolve)
    })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const why = code === 'EADDRINUSE' ? 'is in use' : `cannot be listened on (${code})`
    throw new PortError(`${flag} ${port}: the port ${why} on 127.0.0.1; choose another, or 0 for a free one`)
  }
  await new Promise((resolve) => probe.close(resolve))
}
