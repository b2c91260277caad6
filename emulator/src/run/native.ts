import { accessSync, constants } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { RunnerErrorCode } from './errors.ts'
import { isStale } from './native-sources.ts'

/**
 * The native parts of the third door (emulator/native): an addon that receives descriptors and answers notifications,
 * and the launcher. Built at installation, on Linux only.
 */
export interface NativeParts {
  readonly launcher: string
  /** A pair of connected sockets that keep message boundaries, both close-on-exec. */
  socketPair(): [ours: number, theirs: number]
  /** For descriptors that came from `socketPair` or by message. */
  close(descriptor: number): void
  /** A Unix stream socket that only this user may connect to (mode 0600), listening; or a negative errno. */
  listenAt(path: string): number
  /** Takes a listening socket over; called with the state that each runtime leaves, its descriptors and its user id. */
  readonly Agent: new (
    listeningSocket: number,
    onState: (text: string, descriptors: number[], user: number) => void,
  ) => NativeAgent
  /** `control` is -1 for a container that somebody else's runtime started: the channel then ends with its listener. */
  readonly Channel: new (
    control: number,
    devicePath: string,
    injected: boolean,
    onEvent: (...event: ChannelEvent) => void,
  ) => NativeChannel
}

export type ChannelEvent =
  | readonly [kind: 'message', text: string, descriptors: number[]]
  | readonly [kind: 'request', id: bigint, thread: number, request: number, argument: bigint]
  /** The system keeps a caller's memory or descriptors from the emulator; said once. */
  | readonly [kind: 'unreachable', thread: number, errno: number]
  | readonly [kind: 'end']

export interface NativeAgent {
  close(): void
}

/** A launcher's control socket, polled on a thread of its own. */
export interface NativeChannel {
  /** Takes the seccomp listener over; notifications arrive as `request` events. */
  supervise(listener: number): void
  /** Undefined when the bytes cannot be reached or the caller is gone. */
  read(id: bigint, thread: number, address: bigint, size: number): Uint8Array | undefined
  write(id: bigint, thread: number, address: bigint, bytes: Uint8Array): boolean
  /** Ends the call: 0 or an errno. */
  answer(id: bigint, errno: number): void
  /** Has the launcher pass a signal to the program. */
  send(signal: number): void
  /** Ends the thread. The launcher takes that for the emulator's death. */
  close(): void
}

export type NativeLoad =
  | { readonly parts: NativeParts }
  /** `missing`: why, in a sentence. */
  | { readonly missing: string; readonly code: RunnerErrorCode }

const NATIVE = fileURLToPath(new URL('../../native/', import.meta.url))
const BUILD = new URL('../../native/build/Release/', import.meta.url)
const STALE =
  'The native parts of the emulator were built from other sources than these. Build them anew: npm run build'
let loaded: NativeLoad | undefined

/** Loads them once; where that fails, says why in a sentence. */
export function loadNative(): NativeLoad {
  loaded ??= load()
  return loaded
}

function load(): NativeLoad {
  if (process.platform !== 'linux') {
    const missing = `There is no seccomp user notification on ${process.platform}: it is a feature of Linux.`
    return { missing, code: 'ERR_SECCOMP_MISSING' }
  }
  const launcher = fileURLToPath(new URL('skerry_launch', BUILD))
  try {
    accessSync(launcher, constants.X_OK)
    if (isStale(NATIVE)) return { missing: STALE, code: 'ERR_NATIVE_STALE' }
    const addon: unknown = createRequire(import.meta.url)(fileURLToPath(new URL('skerry_below.node', BUILD)))
    return { parts: { ...(addon as Omit<NativeParts, 'launcher'>), launcher } }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const missing = `The native parts of the emulator are not built (npm run build builds them): ${reason}`
    return { missing, code: 'ERR_NATIVE_MISSING' }
  }
}
