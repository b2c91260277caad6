import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { Worker } from 'node:worker_threads'
import type { VirtualGuest } from '../../psp/types.ts'
import { RunnerError } from '../errors.ts'
import { createGuestChannel, type GuestChannel } from '../guest-channel.ts'
import type { ConfidentialProcess, ProcessExit, ProcessOptions } from '../types.ts'
import type { AskGuest, GuestAnswer, ThreadData } from './messages.ts'

export interface InProcessOptions {
  /** Told when the guest's processor failed in a way that no firmware does. */
  readonly onFault?: (error: unknown) => void
  /** Why there is nothing better, for the error of a program that has no module. */
  readonly notices: readonly string[]
}

/**
 * Starts a program's module in a thread of this process, with the guest's processor handed to it. For machines where
 * nothing stands below the system call; its network and its user are the emulator's own.
 * @throws RunnerError ERR_DEVICE_UNAVAILABLE for a program that has no module
 */
export async function startInProcess(
  options: ProcessOptions,
  { onFault, notices }: InProcessOptions,
): Promise<ConfidentialProcess> {
  const { command, env, module, output, signal } = options
  if (module === undefined) {
    const words = `${command[0]} needs the SNP device below the system call, and this machine cannot have it.`
    throw new RunnerError('ERR_DEVICE_UNAVAILABLE', [words, ...notices].join(' '))
  }
  signal?.throwIfAborted()
  // Sources run as they are (type stripping); the built package runs its JavaScript.
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  const captured = output !== 'inherit'
  const worker = new Worker(new URL(`./thread.${extension}`, import.meta.url), {
    workerData: { url: module.url, args: module.args ?? [] } satisfies ThreadData,
    env: { ...env },
    argv: [...(module.args ?? [])],
    execArgv: [],
    stdout: captured,
    stderr: captured,
  })
  let endedBy: NodeJS.Signals | null = null
  const kill = (by: NodeJS.Signals = 'SIGTERM') => {
    endedBy ??= by
    void worker.terminate()
  }
  const abort = () => kill('SIGKILL')
  signal?.addEventListener('abort', abort, { once: true })

  worker.on('message', (question: AskGuest) => {
    answer(options, question, onFault).then(
      (message) => worker.postMessage(message),
      () => undefined,
    )
  })
  worker.on('error', (error) => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    if (output === 'inherit') process.stderr.write(`${text}\n`)
    else for (const line of text.split('\n')) output(line, 'stderr')
  })
  const delivered = captured ? [lines(worker.stdout, 'stdout'), lines(worker.stderr, 'stderr')] : []
  function lines(stream: Readable, name: 'stdout' | 'stderr'): Promise<unknown> {
    const reader = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })
    reader.on('line', (line) => output !== 'inherit' && output(line, name))
    return once(reader, 'close')
  }
  const ended = new Promise<number>((resolve) => worker.once('exit', resolve))
  const exit = ended.then(async (code): Promise<ProcessExit> => {
    signal?.removeEventListener('abort', abort)
    await Promise.all(delivered)
    return endedBy === null ? { code, signal: null } : { code: null, signal: endedBy }
  })
  return { pid: process.pid, exit, kill }
}

async function answer(
  { guest }: ProcessOptions,
  { id, kind, request }: AskGuest,
  onFault?: (error: unknown) => void,
): Promise<GuestAnswer> {
  const channel = channels.get(guest) ?? createGuestChannel(onFault === undefined ? {} : { onFault })
  channels.set(guest, channel)
  const outcome = await channel.ask(() =>
    kind === 'certificateTable' ? guest.certificateTable() : guest[kind](request),
  )
  if ('answer' in outcome) return { id, response: outcome.answer }
  const { errno, exitInfo2 } = outcome
  return { id, errno, firmwareStatus: Number(exitInfo2 & 0xffff_ffffn), vmmStatus: Number(exitInfo2 >> 32n) }
}

/** All programs of a guest share its key to the firmware. */
const channels = new WeakMap<VirtualGuest, GuestChannel>()
