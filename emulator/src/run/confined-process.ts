import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type { DeviceDriver } from './device-driver.ts'
import { RunnerError } from './errors.ts'
import { type DeviceRequest, type LauncherMessage, launch } from './launch.ts'
import type { NativeChannel, NativeParts } from './native.ts'
import { membershipOf } from './network.ts'
import type { ConfidentialProcess, DeviceMechanism, ProcessExit, ProcessOptions } from './types.ts'

export interface ConfinementOptions {
  readonly native: NativeParts
  readonly mechanism: DeviceMechanism
  readonly driver: DeviceDriver
  /** What the launcher said about itself: `waitKillable=1;ownPids=1`. */
  readonly onMetadata?: (metadata: string) => void
}

/** Starts one program below the launcher and answers its device. */
export async function startConfined(
  options: ProcessOptions,
  { native, mechanism, driver, onMetadata }: ConfinementOptions,
): Promise<ConfidentialProcess> {
  const { command, env, cwd, output, signal } = options
  signal?.throwIfAborted()
  if (cwd !== undefined && !existsSync(cwd)) {
    throw new RunnerError('ERR_WORKING_DIRECTORY', `cwd: there is no directory ${cwd}`)
  }
  const membership = options.network && membershipOf(options.network)
  const generation = options.deviceGeneration ?? 'sev-guest'
  const started = Promise.withResolvers<number>()
  let pid = 0

  const onMessage = (message: LauncherMessage, channel: NativeChannel) => {
    if (message.kind === 'listener') {
      pid = message.pid
      onMetadata?.(message.metadata)
      channel.supervise(message.listener)
    } else if (message.kind === 'started') started.resolve(pid)
    else if (message.kind === 'failed') started.reject(startError(command[0], message.step, message.errno))
  }
  const { child, signal: send } = launch({
    native,
    arguments: (control) => launcherArguments(options, mechanism, control),
    stdio: output === 'inherit' ? 'inherit' : 'pipe',
    inherited: membership === undefined ? [] : [membership.userNamespace, membership.networkNamespace],
    env,
    ...(cwd !== undefined && { cwd }),
    devicePath: `/dev/${generation}`,
    injected: mechanism === 'injected-descriptor',
    onMessage,
    onRequest: (request, channel) => void answer(driver, request, channel),
    onEnd: () =>
      started.reject(new RunnerError('ERR_CONFINEMENT', `the launcher ended before ${command[0]} was started`)),
  })
  child.on('error', (error) => started.reject(error))

  const delivered = output === 'inherit' ? [] : [lines(child.stdout, 'stdout'), lines(child.stderr, 'stderr')]
  function lines(stream: Readable | null, name: 'stdout' | 'stderr'): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    if (stream === null || output === 'inherit') resolve()
    else {
      const reader = createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })
      reader.on('line', (line) => output(line, name))
      reader.on('close', resolve)
    }
    return promise
  }
  const ended = new Promise<ProcessExit>((resolve) => {
    child.on('close', (code, by) => resolve({ code, signal: by }))
  })
  const abort = () => send('SIGKILL')
  signal?.addEventListener('abort', abort, { once: true })
  const exit = ended.then(async (how) => {
    signal?.removeEventListener('abort', abort)
    await Promise.all(delivered)
    return how
  })

  return { pid: await started.promise, exit, kill: (name = 'SIGTERM') => send(name) }
}

/** Reads, asks, writes, answers; several at once, each on its own. */
async function answer(driver: DeviceDriver, request: DeviceRequest, channel: NativeChannel): Promise<void> {
  const { id, thread } = request
  const errno = await driver.ioctl(request.request, request.argument, {
    read: (address, size) => channel.read(id, thread, address, size),
    write: (address, bytes) => channel.write(id, thread, address, bytes),
  })
  channel.answer(id, errno)
}

function launcherArguments(options: ProcessOptions, mechanism: DeviceMechanism, control: number): string[] {
  const { command, network, output, securityContextDir } = options
  const node = mechanism === 'mount-namespace'
  const isolate = node || network !== undefined
  const membership = network && membershipOf(network)
  return [
    'run',
    ...['--control', String(control)],
    ...['--device', options.deviceGeneration ?? 'sev-guest'],
    ...(isolate ? ['--isolate'] : []),
    ...(node ? ['--device-node'] : []),
    ...(output === 'inherit' ? [] : ['--new-session']),
    ...(membership === undefined ? [] : ['--join-user', String(control + 1), '--join-net', String(control + 2)]),
    ...(membership?.binds ?? []).flatMap(({ source, target }) => ['--bind-ro', source, target]),
    ...(isolate && securityContextDir !== undefined ? ['--bind-ro', securityContextDir, securityContextDir] : []),
    '--',
    ...command,
  ]
}

function startError(program: string, step: string, errno: string): RunnerError {
  const cause = { step, errno }
  if (step !== 'exec') return new RunnerError('ERR_CONFINEMENT', `${step} failed with ${errno}`, cause)
  if (errno === 'ENOENT') return new RunnerError('ERR_COMMAND_NOT_FOUND', `${program}: command not found`, cause)
  return new RunnerError('ERR_COMMAND_NOT_EXECUTABLE', `${program}: cannot be executed (${errno})`, cause)
}
