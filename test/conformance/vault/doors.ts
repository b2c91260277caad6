import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { setupServer } from 'msw/node'
import { fetch, ProxyAgent } from 'undici'
import { TEST_CACHE_DIRECTORY } from '../../../emulator/src/core/test-context.ts'
import { skerryHandlers } from '../../../emulator/src/doors/msw.ts'
import { createEmulator } from '../../../emulator/src/index.ts'
import { SEED, type World } from './world.ts'

const EMULATOR = { cacheDir: TEST_CACHE_DIRECTORY, seedDocument: SEED }
/** A refusal that a client tries again would only take longer. */
const retryOptions = { maxRetries: 0 }

/** The proxy of an emulator that listens: real TLS under Azure's names. */
export async function overTheWire(): Promise<World> {
  const emulator = await createEmulator(EMULATOR)
  const wire = await emulator.listen()
  // The SDK takes no certificates of its own together with a proxy: this process trusts the emulator's authority.
  setDefaultCACertificates([...getCACertificates('default'), wire.caPem])
  const { port, username, password } = new URL(wire.proxyUrl)
  const dispatcher = new ProxyAgent({ uri: wire.proxyUrl, requestTls: { ca: wire.caPem } })
  return {
    emulator,
    options: { retryOptions, proxyOptions: { host: 'http://127.0.0.1', port: Number(port), username, password } },
    fetch: async (input, init) =>
      (await fetch(input, { ...(init as Parameters<typeof fetch>[1]), dispatcher })) as unknown as Response,
    async [Symbol.asyncDispose]() {
      await dispatcher.close()
      await emulator.close()
    },
  }
}

/** Mock Service Worker's handlers: no socket, no other process. */
export async function inProcess(): Promise<World> {
  const azure = skerryHandlers(EMULATOR)
  const server = setupServer(...azure.handlers)
  server.listen({ onUnhandledFrame: 'error' })
  return {
    emulator: await azure.emulator(),
    options: { retryOptions },
    fetch: (input, init) => globalThis.fetch(input, init),
    async [Symbol.asyncDispose]() {
      server.close()
      await azure.close()
    },
  }
}
