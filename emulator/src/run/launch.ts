import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process'
import { constants } from 'node:os'
import { getSystemErrorName } from 'node:util'
import type { ChannelEvent, NativeChannel, NativeParts } from './native.ts'

/** What the launcher says on its control socket. Descriptors belong to whoever gets the message. */
export type LauncherMessage =
  | { readonly kind: 'listener'; readonly pid: number; readonly metadata: string; readonly listener: number }
  | { readonly kind: 'started' }
  | { readonly kind: 'failed'; readonly step: string; readonly errno: string }
  | { readonly kind: 'network'; readonly address: string; readonly groupAddress: string; readonly descriptors: Named }

export type Named = readonly { readonly name: string; readonly descriptor: number }[]

export interface LaunchOptions {
  readonly native: NativeParts
  /** Without `--control`, which is added. */
  readonly arguments: (control: number) => readonly string[]
  readonly stdio: 'inherit' | 'pipe' | 'ignore'
  /** Inherited as descriptors 4 and on. */
  readonly inherited?: readonly number[]
  /** The program's; the launcher itself has none. */
  readonly env: Readonly<Record<string, string>>
  readonly cwd?: string
  readonly devicePath: string
  readonly injected: boolean
  readonly onMessage: (message: LauncherMessage, channel: NativeChannel) => void
  readonly onRequest?: (request: DeviceRequest, channel: NativeChannel) => void
  /** A caller of the device is out of reach: its thread id. */
  readonly onUnreachable?: (thread: number) => void
  /** The launcher is gone, and everything below it. */
  readonly onEnd: () => void
}

export interface DeviceRequest {
  readonly id: bigint
  readonly thread: number
  readonly request: number
  readonly argument: bigint
}

export interface Launch {
  readonly child: ChildProcess
  /** Nothing once the launcher is gone. */
  signal(signal: NodeJS.Signals): void
}

/** The descriptor that the launcher finds its control socket at. */
const CONTROL = 3

/** Starts the launcher with a control socket and reads it until the launcher is gone. */
export function launch(options: LaunchOptions): Launch {
  const { native, stdio, inherited = [], onMessage, onRequest, onUnreachable, onEnd } = options
  const [ours, theirs] = native.socketPair()
  let open = true
  const onEvent = (...event: ChannelEvent) => {
    if (!open) return
    if (event[0] === 'message') {
      const message = parseMessage(event[1], event[2], native)
      if (message !== undefined) onMessage(message, channel)
    } else if (event[0] === 'request') {
      const [, id, thread, request, argument] = event
      onRequest?.({ id, thread, request, argument }, channel)
    } else if (event[0] === 'unreachable') {
      onUnreachable?.(event[1])
    } else {
      open = false
      channel.close()
      onEnd()
    }
  }
  const channel = new native.Channel(ours, options.devicePath, options.injected, onEvent)
  const standard: StdioOptions = stdio === 'pipe' ? ['ignore', 'pipe', 'pipe'] : [stdio, stdio, stdio]
  try {
    const child = spawn(native.launcher, [...options.arguments(CONTROL)], {
      stdio: [...standard, theirs, ...inherited],
      env: markedEnvironment(options.env),
      ...(options.cwd !== undefined && { cwd: options.cwd }),
    })
    return {
      child,
      signal(signal) {
        if (open) channel.send(constants.signals[signal])
      },
    }
  } finally {
    native.close(theirs)
  }
}

/**
 * The program's variables, not the launcher's: it takes the mark off when it starts the program. Unmarked, a container's
 * LD_PRELOAD would run in the launcher, which has the emulator's network and files.
 */
function markedEnvironment(env: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).map(([name, value]) => [`+${name}`, value]))
}

function parseMessage(text: string, descriptors: readonly number[], native: NativeParts): LauncherMessage | undefined {
  const message = JSON.parse(text) as Record<string, unknown>
  const named = namesOf(message.fds).map((name, at) => ({ name, descriptor: descriptors[at] ?? -1 }))
  const listener = named.find(({ name }) => name === 'seccompFd')
  if (listener !== undefined) {
    // A container process state, as OCI runtimes send it to a seccomp agent.
    const metadata = String(message.metadata ?? '')
    return { kind: 'listener', pid: Number(message.pid), metadata, listener: listener.descriptor }
  }
  if (message.event === 'started') return { kind: 'started' }
  if (message.event === 'failed') {
    return { kind: 'failed', step: String(message.step), errno: errnoName(Number(message.errno)) }
  }
  if (message.event === 'network') {
    const { address, groupAddress } = message
    return { kind: 'network', address: String(address), groupAddress: String(groupAddress), descriptors: named }
  }
  for (const descriptor of descriptors) native.close(descriptor)
  return undefined
}

function namesOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : []
}

function errnoName(errno: number): string {
  return errno > 0 ? getSystemErrorName(-errno) : 'no errno'
}
