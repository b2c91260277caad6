import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { answerQuery, type NameServerOptions } from './name-server.ts'

/**
 * Answers on a UDP socket, by its descriptor, which is taken over. Disposal resolves when it is closed. Keeps no process
 * alive.
 */
export async function serveNames(descriptor: number, options: NameServerOptions): Promise<AsyncDisposable> {
  const socket = createSocket('udp4')
  let open = true
  socket.on('message', (query, { address, port }) => {
    void answerQuery(query, options).then((answer) => {
      // Whoever asked may be gone by now: that is no fault of anyone's.
      if (open && answer !== undefined) socket.send(answer, port, address, () => {})
    })
  })
  // With a descriptor it may listen before `bind` returns.
  await Promise.all([once(socket, 'listening'), socket.bind({ fd: descriptor })])
  socket.on('error', () => {})
  socket.unref()
  return {
    async [Symbol.asyncDispose]() {
      open = false
      const closed = once(socket, 'close')
      socket.close()
      await closed
    },
  }
}
