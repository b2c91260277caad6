/** Runs in a program's thread: trust and proxy as its environment has them, then the program's module. */
import { readFileSync } from 'node:fs'
import http from 'node:http'
import tls from 'node:tls'
import { parentPort, workerData } from 'node:worker_threads'
import type { AskGuest, GuestAnswer, GuestFailure, GuestRequest, ModuleHost, ThreadData } from './messages.ts'

if (parentPort === null) throw new Error('this thread is started by the emulator, not by hand')
const port = parentPort
const { url, args } = workerData as ThreadData
const waiting = new Map<number, PromiseWithResolvers<Uint8Array>>()
let asked = 0

/** What Node reads of a process's environment when it starts, said again for a thread that has its own. */
function trustAndProxy({ NODE_EXTRA_CA_CERTS, NODE_USE_ENV_PROXY, ...env }: NodeJS.ProcessEnv): void {
  if (NODE_EXTRA_CA_CERTS) {
    tls.setDefaultCACertificates([...tls.getCACertificates('default'), readFileSync(NODE_EXTRA_CA_CERTS, 'utf8')])
  }
  if (NODE_USE_ENV_PROXY === '1') http.setGlobalProxyFromEnv(env)
}

function ask(kind: GuestRequest, request: Uint8Array = new Uint8Array()): Promise<Uint8Array> {
  asked += 1
  const answer = Promise.withResolvers<Uint8Array>()
  waiting.set(asked, answer)
  port.ref()
  port.postMessage({ id: asked, kind, request } satisfies AskGuest)
  return answer.promise
}

/** The driver's preset of exitinfo2: the firmware was never asked. */
const NOT_REACHED = 0xff

function wordsOf({ firmwareStatus, vmmStatus, errno }: GuestFailure): string {
  if (vmmStatus !== 0) return `the hypervisor answered status ${vmmStatus}`
  if (firmwareStatus === NOT_REACHED) return `the request did not reach the firmware (errno ${errno})`
  return `the firmware answered status ${firmwareStatus}`
}

port.on('message', (message: GuestAnswer) => {
  const answer = waiting.get(message.id)
  waiting.delete(message.id)
  // Only an open question keeps the thread: a program ends when it has nothing left to do.
  if (waiting.size === 0) port.unref()
  if ('response' in message) answer?.resolve(message.response)
  else {
    const { firmwareStatus, vmmStatus, errno } = message
    const words = wordsOf(message)
    answer?.reject(Object.assign(new Error(words), { firmwareStatus, vmmStatus, errno }))
  }
})
port.unref()

trustAndProxy(process.env)
const program = (await import(url)) as { main?: (host: ModuleHost) => Promise<void> }
await program.main?.({
  args,
  guest: {
    reportRequest: (request) => ask('reportRequest', request),
    keyRequest: (request) => ask('keyRequest', request),
    certificateTable: () => ask('certificateTable'),
  },
})
