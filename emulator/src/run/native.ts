import { accessSync, constants } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'

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
  | readonly [kind: 'end']

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

export type NativeLoad = { readonly parts: NativeParts } | { readonly missing: string }

const BUILD = new URL('../../native/build/Release/', import.meta.url)
let loaded: NativeLoad | undefined

/** Loads them once; where that fails, says why in a sentence. */
export function loadNative(): NativeLoad {
  loaded ??= load()
  return loaded
}

function load(): NativeLoad {
  if (process.platform !== 'linux') {
    return { missing: `There is no seccomp user notification on ${process.platform}: it is a feature of Linux.` }
  }
  const launcher = fileURLToPath(new URL('skerry_launch', BUILD))
  try {
    accessSync(launcher, constants.X_OK)
    const addon: unknown = createRequire(import.meta.url)(fileURLToPath(new URL('skerry_below.node', BUILD)))
    return { parts: { ...(addon as Omit<NativeParts, 'launcher'>), launcher } }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return { missing: `The native parts of the emulator are not built (npm run build builds them): ${reason}` }
  }
}
