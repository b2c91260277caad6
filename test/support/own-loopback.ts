import { createServer, type Server } from 'node:net'
import { createRunner } from '../../emulator/src/run/index.ts'
import { until } from './until.ts'

/** Whoever listens here has the ports of this machine's loopback to itself. The kernel frees it with the process. */
const TURN = 58_080

export interface Loopback extends AsyncDisposable {
  /** False where the kernel refuses network namespaces: groups then run one at a time, on the machine's own ports. */
  readonly perGroup: boolean
}

/**
 * For tests that start container groups. Where each has a network of its own, they may run beside each other; elsewhere
 * their sidecars would meet at port 8080, so test files take turns.
 */
export async function ownLoopback(): Promise<Loopback> {
  const { networkNamespace } = await createRunner().capabilities()
  if (networkNamespace) return { perGroup: true, [Symbol.asyncDispose]: async () => undefined }
  const server = await until(listening, TURN_TIMEOUT_MS)
  return {
    perGroup: false,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  }
}

/** How long a test file may have to wait for its turn. */
export const TURN_TIMEOUT_MS = 240_000

function listening(): Promise<Server | false> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(TURN, '127.0.0.1', () => resolve(server))
  })
}
