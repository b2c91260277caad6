import { Agent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import type { Socket } from 'node:net'
import type { SnpProduct } from '@skerry/guest/wire'
import type { JournalRecord, ProcessorFaults } from '../core/index.ts'
import { GuestRequestError, type GuestRequestFailure } from '../psp/errors.ts'
import type { ProcessorTcb, VirtualGuest } from '../psp/types.ts'
import type { StateDocument } from '../state/index.ts'
import type { InstanceInfo } from './instance.ts'
import type { ClockAnswer, DeviceAnswer, DeviceRequest } from './instance-routes.ts'
import type { LaunchRequest } from './launch-request.ts'
import type { ProcessorAnswer, RollRequest } from './processor-routes.ts'
import type { LaunchAnswer, SigningKeyAnswer } from './routes.ts'

/** A running instance as another process of the same user sees it. */
export interface InstanceClient extends Disposable {
  journal(): Promise<JournalRecord[]>
  /** Launches a guest on the instance's processor; it is answered from there until `release` is called. */
  launchGuest(launch: LaunchRequest): Promise<RemoteGuest>
  /** File name to content, for a program that runs outside any guest. */
  securityContext(): Promise<Record<string, string>>
  /** Exact names of the hosts that the instance stands for now. */
  hostNames(): Promise<readonly string[]>
  clock(): Promise<ClockAnswer>
  /** @param duration as `parseDuration` takes it */
  advanceClock(duration: string, options?: { readonly force?: boolean }): Promise<ClockAnswer>
  exportState(): Promise<StateDocument>
  /** Puts the state of a file, by its absolute path, in the place of the instance's. */
  importState(file: string): Promise<void>
  /** Says yes or no, as a person, to a device that shows a code. */
  answerDevice(request: DeviceRequest): Promise<DeviceAnswer>
  /** Has the attestation service sign with a new key. */
  rollSigningKey(): Promise<SigningKeyAnswer>
  processor(): Promise<ProcessorAnswer>
  /** Moves the host to another TCB: see `VirtualProcessor.rollTcb`. */
  rollTcb(request: RollRequest): Promise<ProcessorTcb>
  /** Begins another fault plan of the processor. */
  setProcessorFaults(faults: ProcessorFaults): Promise<void>
  /** A connection that the instance takes as one to port 443 or 80 of whichever host the client names. */
  openConnection(port: 443 | 80, options?: ConnectionOptions): Promise<Socket>
}

export interface ConnectionOptions {
  /** ARM id of the one managed identity that the program at the other end has. Default: all of the instance's. */
  readonly managedIdentityId?: string
  /** Of the processor that the program's guest was launched on. Default: the instance's. */
  readonly product?: SnpProduct
}

export interface RemoteGuest extends Omit<LaunchAnswer, 'id'> {
  readonly guest: VirtualGuest
  /** Resolves as well when the instance is gone by now. */
  release(): Promise<void>
}

/** Thrown when an instance does not answer, or answers with an error. */
export class ControlError extends Error {
  readonly code = 'ERR_CONTROL'
  /** What the instance said, where it answered. */
  readonly answer?: { readonly status: number; readonly message: string }
  constructor(message: string, options?: ErrorOptions & { readonly answer?: ControlError['answer'] }) {
    super(message, options)
    if (options?.answer !== undefined) this.answer = options.answer
  }
}

export function connectInstance(info: Pick<InstanceInfo, 'url' | 'controlToken'>): InstanceClient {
  // Plain node:http with its own agent: proxy settings of the environment do not apply to it.
  const agent = new Agent({ keepAlive: true })
  const options = (method: string, path: string, headers: Record<string, string> = {}): RequestOptions => {
    const { hostname, port } = new URL(info.url)
    return {
      hostname,
      port,
      path,
      method,
      agent,
      headers: { authorization: `Bearer ${info.controlToken}`, ...headers },
    }
  }
  const call = async (method: string, path: string, body?: Uint8Array | string): Promise<Buffer> => {
    const type = typeof body === 'string' ? 'application/json' : 'application/octet-stream'
    const response = await send(options(method, path, body === undefined ? {} : { 'content-type': type }), body)
    const content = await readAll(response)
    const status = response.statusCode ?? 0
    if (status >= 300) {
      if (status === 422) throwGuestFailure(content)
      const message = messageOf(content)
      throw new ControlError(`${method} ${path} was answered with ${status}: ${message}`, {
        answer: { status, message },
      })
    }
    return content
  }
  const json = async <T>(method: string, path: string, body?: unknown): Promise<T> =>
    JSON.parse((await call(method, path, body === undefined ? undefined : JSON.stringify(body))).toString()) as T

  return {
    async journal() {
      const lines = (await call('GET', '/.skerry/journal')).toString().split('\n')
      return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as JournalRecord)
    },
    async hostNames() {
      return (await json<{ readonly hostNames: readonly string[] }>('GET', '/.skerry/status')).hostNames
    },
    clock: () => json('GET', '/.skerry/clock'),
    advanceClock: (duration, { force = false } = {}) => json('POST', '/.skerry/clock', { advance: duration, force }),
    exportState: () => json('GET', '/.skerry/state'),
    importState: async (file) => void (await call('PUT', '/.skerry/state', JSON.stringify({ file }))),
    answerDevice: (request) => json('POST', '/.skerry/device-codes', request),
    rollSigningKey: () => json('POST', '/.skerry/attestation/signing-key'),
    processor: () => json('GET', '/.skerry/psp'),
    rollTcb: (request) => json('POST', '/.skerry/psp/tcb', request),
    setProcessorFaults: async (faults) => void (await call('PUT', '/.skerry/psp/faults', JSON.stringify(faults))),
    securityContext: () => json('GET', '/.skerry/security-context'),
    async launchGuest(launch) {
      const { id, ...answer } = await json<LaunchAnswer>('POST', '/.skerry/psp/guests', launch)
      const path = `/.skerry/psp/guests/${id}`
      return {
        ...answer,
        guest: {
          reportId: new Uint8Array(Buffer.from(id, 'hex')),
          reportRequest: (message) => call('POST', `${path}/report`, message),
          keyRequest: (message) => call('POST', `${path}/key`, message),
          certificateTable: () => call('GET', `${path}/certificates`),
        },
        async release() {
          try {
            await call('DELETE', path)
          } catch (error) {
            // With the instance its guests are gone, and what a program ended with is still what it ended with.
            if (!(error instanceof ControlError) || error.answer !== undefined) throw error
          }
        },
      }
    },
    openConnection: (port, { managedIdentityId, product } = {}) =>
      new Promise((resolve, reject) => {
        const said = { ...(managedIdentityId && { identity: managedIdentityId }), ...(product && { product }) }
        const query = new URLSearchParams(said)
        const headers = { connection: 'Upgrade', upgrade: 'skerry-network' }
        const request = httpRequest({ ...options('GET', `/.skerry/network/${port}?${query}`, headers), agent: false })
        request.on('upgrade', (_response, socket: Socket, head: Buffer) => {
          if (head.length > 0) socket.unshift(head)
          resolve(socket)
        })
        request.on('response', (response) => {
          response.resume()
          reject(new ControlError(`the instance refused the connection: ${response.statusCode}`))
        })
        request.on('error', (error) => reject(unreachable(info.url, error))).end()
      }),
    [Symbol.dispose]: () => agent.destroy(),
  }

  function send(request: RequestOptions, body?: Uint8Array | string): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      httpRequest(request, resolve)
        .on('error', (error) => reject(unreachable(info.url, error)))
        .end(body)
    })
  }
}

/** Why a request of a guest failed as a whole comes over as it was thrown there. */
function throwGuestFailure(content: Buffer): void {
  const { error } = JSON.parse(content.toString()) as {
    error: { code?: string; failure: GuestRequestFailure; status: number }
  }
  if (error.code === 'GuestRequestFailed') throw new GuestRequestError(error.failure, error.status)
}

function unreachable(url: string, error: Error): ControlError {
  return new ControlError(`the instance at ${url} does not answer: ${error.message}`, { cause: error })
}

async function readAll(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks)
}

function messageOf(content: Buffer): string {
  try {
    return (JSON.parse(content.toString()) as { error: { message: string } }).error.message
  } catch {
    return content.toString().trim()
  }
}
