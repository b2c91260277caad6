import { fork } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createEmulator } from '@skerry/emulator'
import type { Place } from './connection.ts'

export interface BareSigner extends AsyncDisposable {
  readonly pid: number
  readonly place: Place
}

/** The bare signer, with a certificate of the same kind as the emulator's own. */
export async function startBareSigner(): Promise<BareSigner> {
  await using emulator = await createEmulator()
  const { authority } = emulator.context
  const child = fork(fileURLToPath(new URL('./bare-signer.ts', import.meta.url)), { stdio: 'inherit' })
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const signingKey = privateKey.export({ type: 'pkcs8', format: 'pem' })
  child.send({ ...(await authority.tlsFor('localhost')), signingKey })
  const [port] = (await once(child, 'message')) as [number]
  return {
    pid: child.pid!,
    place: { port, host: 'localhost', ca: authority.rootPem },
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    },
  }
}
