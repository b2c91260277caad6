import { lstatSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { getSystemErrorName } from 'node:util'
import { answerRequest } from '../confined-process.ts'
import type { DeviceDriver } from '../device-driver.ts'
import { RunnerError } from '../errors.ts'
import type { ChannelEvent, NativeChannel, NativeParts } from '../native.ts'
import { unreachableCaller } from '../unreachable.ts'
import { type ContainerState, parseContainerState } from './container-state.ts'

export interface AgentOptions {
  readonly native: NativeParts
  /** Absolute. A socket of that name that nobody listens at is taken away first. */
  readonly listenerPath: string
  /** What the profile of these containers says; a runtime that brings another one is refused. */
  readonly metadata: string
  /** `/dev/sev-guest`. */
  readonly devicePath: string
  /** Whether opens of the device are notified and answered. */
  readonly injected: boolean
  readonly driver: DeviceDriver
  readonly onContainer?: (state: ContainerState) => void
  /** A container that cannot be served, or a caller in it; those that are go on. */
  readonly onProblem?: (error: RunnerError) => void
}

/** A seccomp agent: answers the SNP device of every container that a runtime brings to its socket. */
export interface SeccompAgent extends AsyncDisposable {
  /** Containers whose processes have not all ended. */
  readonly serving: number
}

/** @throws RunnerError ERR_LISTENER_PATH */
export async function startSeccompAgent(options: AgentOptions): Promise<SeccompAgent> {
  const { native, listenerPath, onContainer, onProblem } = options
  const socket = await listen(native, listenerPath)
  const channels = new Set<NativeChannel>()
  let disposed = false
  const agent = new native.Agent(socket, (text, descriptors, user) => {
    let listener: number | undefined
    try {
      if (disposed) return
      const state = acceptable(options, text, user)
      listener = descriptors[state.listenerAt]
      if (listener === undefined) {
        throw new RunnerError('ERR_CONTAINER_STATE', `the state of container ${state.id} came without its descriptors`)
      }
      channels.add(serve(options, listener, (channel) => channels.delete(channel)))
      onContainer?.(state)
    } catch (error) {
      listener = undefined
      if (!(error instanceof RunnerError)) throw error
      onProblem?.(error)
    } finally {
      // Closed, a listener has the container's calls answered with ENOSYS instead of waiting for good.
      for (const descriptor of descriptors) if (descriptor !== listener) native.close(descriptor)
    }
  })
  return {
    get serving() {
      return channels.size
    },
    async [Symbol.asyncDispose]() {
      disposed = true
      agent.close()
      rmSync(listenerPath, { force: true })
      for (const channel of channels) channel.close()
      channels.clear()
    },
  }
}

function acceptable({ metadata }: AgentOptions, text: string, user: number): ContainerState {
  const own = process.geteuid?.()
  // The file's mode keeps others out; root is let in by nobody's leave.
  if (user !== own && user !== 0) {
    throw new RunnerError('ERR_CONTAINER_STATE', `a program of user ${user} came to the listener of user ${own}`)
  }
  const state = parseContainerState(text)
  if (state.metadata !== metadata) {
    const words = `container ${state.id} was started with another profile (${state.metadata || 'no metadata'})`
    throw new RunnerError('ERR_CONTAINER_STATE', `${words} than the one that was written (${metadata})`)
  }
  return state
}

function serve(options: AgentOptions, listener: number, onEnd: (channel: NativeChannel) => void): NativeChannel {
  const { native, devicePath, injected, driver, onProblem } = options
  const onEvent = (...event: ChannelEvent) => {
    if (event[0] === 'request') {
      const [, id, thread, request, argument] = event
      void answerRequest(driver, { id, thread, request, argument }, channel)
    } else if (event[0] === 'unreachable') {
      onProblem?.(unreachableCaller(event[1]))
    } else if (event[0] === 'end') {
      channel.close()
      onEnd(channel)
    }
  }
  const channel = new native.Channel(-1, devicePath, injected, onEvent)
  channel.supervise(listener)
  return channel
}

async function listen(native: NativeParts, path: string): Promise<number> {
  for (let tried = 0; ; tried++) {
    const socket = native.listenAt(path)
    if (socket >= 0) return socket
    const errno = getSystemErrorName(socket)
    if (errno !== 'EADDRINUSE' || tried > 0 || (await isTaken(path))) {
      throw new RunnerError('ERR_LISTENER_PATH', wordsFor(path, errno))
    }
    // Left behind by one that was killed.
    rmSync(path, { force: true })
  }
}

function wordsFor(path: string, errno: string): string {
  if (errno === 'EADDRINUSE') return `${path}: something is there already; choose another file for the profile`
  if (errno === 'ENAMETOOLONG') return `${path}: longer than the 107 bytes that a socket's path may have`
  return `${path}: the listener's socket cannot be made there (${errno})`
}

/** Whether somebody listens there, or what lies there is no socket at all and so nothing to take away. */
function isTaken(path: string): Promise<boolean> {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() === false) return Promise.resolve(true)
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.on('connect', () => {
      resolve(true)
      socket.destroy()
    })
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'))
  })
}
