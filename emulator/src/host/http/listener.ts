import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { HostError } from '../errors.ts'

export type FetchHandler = (request: Request) => Promise<Response>

/** An HTTP server on loopback. */
export interface LoopbackListener {
  readonly port: number
  /** Ends the listening and every connection. */
  close(): Promise<void>
}

/** Listens on 127.0.0.1; without `port` (or with 0) on a free one. */
export async function listenOnLoopback(handler: FetchHandler, port = 0): Promise<LoopbackListener> {
  const server: Server = createServer(getRequestListener(handler, { overrideGlobalObjects: false }))
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE'
          ? new HostError('ERR_HOST_PORT_IN_USE', `port ${port} of 127.0.0.1 is in use`, { cause: error })
          : error,
      ),
    )
    server.listen(port, '127.0.0.1', resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
