import { existsSync } from 'node:fs'
import { isAbsolute, resolve } from 'node:path'
import type { DeviceDriver } from './device-driver.ts'
import { RunnerError } from './errors.ts'
import { type DeviceRequest, type LauncherMessage, launch } from './launch.ts'
import { eachLine } from './lines.ts'
import type { NativeChannel, NativeParts } from './native.ts'
import { membershipOf } from './network.ts'
import { refusalOf } from './refusals.ts'
import { refuseSetuid } from './setuid.ts'
import type { ConfidentialProcess, DeviceMechanism, ProcessExit, ProcessOptions } from './types.ts'
import { unreachableCaller } from './unreachable.ts'

export interface ConfinementOptions {
  readonly native: NativeParts
  readonly mechanism: DeviceMechanism
  readonly driver: DeviceDriver
  /** Directories that the program finds empty, and sockets that refuse it, where it has a mount namespace. */
  readonly hidden?: readonly string[]
  /** The same, but the program may write there: a container's `/run`. */
  readonly emptied?: readonly string[]
  /** What the launcher said about itself: `waitKillable=1;ownPids=1`. */
  readonly onMetadata?: (metadata: string) => void
  /** Told when a program asks the device whose memory the system keeps from the emulator; it gets EFAULT or ENOTTY. */
  readonly onUnreachable?: (error: RunnerError) => void
}

/** Starts one program below the launcher and answers its device. */
export async function startConfined(
  options: ProcessOptions,
  { native, mechanism, driver, hidden = [], emptied = [], onMetadata, onUnreachable }: ConfinementOptions,
): Promise<ConfidentialProcess> {
  const { command, env, cwd, output, signal } = options
  signal?.throwIfAborted()
  if (cwd !== undefined && !existsSync(cwd)) {
    throw new RunnerError('ERR_WORKING_DIRECTORY', `cwd: there is no directory ${cwd}`)
  }
  const isolate = mechanism === 'mount-namespace' || options.network !== undefined
  const empty = isolate ? outermost(emptied) : []
  // What lies in an empty one is gone with it.
  const covered = isolate ? outermost(hidden).filter((path) => holderOf(path, empty) === undefined) : []
  refuseHidden(command[0], covered)
  refuseEmptied(command[0], empty)
  refuseSetuid(command[0], cwd ?? process.cwd(), env.PATH)
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
    arguments: (control) => launcherArguments(options, mechanism, { covered, empty }, control),
    stdio: output === 'inherit' ? 'inherit' : 'pipe',
    inherited: membership === undefined ? [] : [membership.userNamespace, membership.networkNamespace],
    env,
    ...(cwd !== undefined && { cwd }),
    devicePath: `/dev/${generation}`,
    injected: mechanism === 'injected-descriptor',
    onMessage,
    onRequest: (request, channel) => void answerRequest(driver, request, channel),
    onUnreachable: (thread) => onUnreachable?.(unreachableCaller(thread)),
    onEnd: () =>
      started.reject(new RunnerError('ERR_CONFINEMENT', `the launcher ended before ${command[0]} was started`)),
  })
  child.on('error', (error) => started.reject(error))

  const delivered =
    output === 'inherit'
      ? []
      : (['stdout', 'stderr'] as const).map(async (name) => {
          const stream = child[name]
          if (stream !== null) await eachLine(stream, (line) => output(line, name))
        })
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
export async function answerRequest(
  driver: DeviceDriver,
  request: DeviceRequest,
  channel: NativeChannel,
): Promise<void> {
  const { id, thread } = request
  const errno = await driver.ioctl(request.request, request.argument, {
    read: (address, size) => channel.read(id, thread, address, size),
    write: (address, bytes) => channel.write(id, thread, address, bytes),
  })
  channel.answer(id, errno)
}

function launcherArguments(
  options: ProcessOptions,
  mechanism: DeviceMechanism,
  { covered, empty }: { readonly covered: readonly string[]; readonly empty: readonly string[] },
  control: number,
): string[] {
  const { command, network, output, securityContextDir, visible = [] } = options
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
    ...empty.flatMap((directory) => ['--empty', directory]),
    ...covered.flatMap((directory) => ['--hide', directory]),
    ...(isolate ? visible.filter((file) => holderOf(file, [...empty, ...covered])) : []).flatMap((file) => [
      '--bind-ro',
      file,
      file,
    ]),
    '--',
    ...command,
  ]
}

/** Without those that lie in another one: they are hidden with it. */
function outermost(directories: readonly string[]): string[] {
  const all = [...new Set(directories.map((directory) => resolve(directory)))]
  return all.filter((directory) => holderOf(directory, all) === undefined)
}

/** The directory that holds this path. */
function holderOf(path: string, directories: readonly string[]): string | undefined {
  return directories.find((directory) => path.startsWith(`${directory}/`))
}

function refuseHidden(program: string, hidden: readonly string[]): void {
  const holder = isAbsolute(program) ? holderOf(program, hidden) : undefined
  if (holder === undefined) return
  const words = `${program} lies in ${holder}, where the emulator keeps its keys and which programs do not see`
  throw new RunnerError('ERR_COMMAND_HIDDEN', `${words}: choose another directory for one of the two`)
}

function refuseEmptied(program: string, emptied: readonly string[]): void {
  const holder = isAbsolute(program) ? holderOf(program, emptied) : undefined
  if (holder === undefined) return
  throw new RunnerError('ERR_COMMAND_HIDDEN', `${program} lies in ${holder}, which is empty for this program`)
}

function startError(program: string, step: string, errno: string): RunnerError {
  const cause = { step, errno }
  if (step !== 'exec') {
    const { code, message } = refusalOf(step, errno)
    return new RunnerError(code, message, cause)
  }
  if (errno === 'ENOENT') return new RunnerError('ERR_COMMAND_NOT_FOUND', `${program}: command not found`, cause)
  return new RunnerError('ERR_COMMAND_NOT_EXECUTABLE', `${program}: cannot be executed (${errno})`, cause)
}
