import { existsSync } from 'node:fs'
import type { Socket } from 'node:net'
import type { ConnectionOptions, InstanceClient, RemoteGuest } from '../../control/client.ts'
import type { InstanceInfo } from '../../control/instance.ts'
import { cacheDirectory, runtimeDirectory } from '../../core/directories.ts'
import {
  createRunner,
  listeningSockets,
  type RunnerCapabilities,
  RunnerError,
  runConfidential,
} from '../../run/index.ts'
import { programEnvironment } from './environment.ts'
import type { RunFlags } from './flags.ts'
import { exitCodeOf, forwardSignals } from './signals.ts'

export interface ProgramPlan {
  readonly command: readonly [string, ...string[]]
  readonly flags: RunFlags
  readonly info: InstanceInfo
  readonly client: InstanceClient
  /** Launches the guest: not before it is known that a program can be run. */
  readonly launch: () => Promise<RemoteGuest>
  readonly say: (line: string) => void
}

/** Where the sockets of a machine's services lie; empty in a container, too. */
const RUN = '/run'
/** A system that keeps its programs there. */
const RUN_HOLDS_PROGRAMS = existsSync('/run/current-system')

/** Runs a program as if inside a confidential container; resolves to its exit code. */
export async function runProgram({ command, flags, info, client, launch, say }: ProgramPlan): Promise<number> {
  const isolate = flags.isolate === true
  const cwd = workingDirectory()
  const runner = createRunner({
    // What is kept there is the instance's: a guest gets a key by attestation, not from a file.
    hidden: [info.data, cacheDirectory(), runtimeDirectory(), ...(isolate ? listeningSockets() : [])],
    ...(isolate && !RUN_HOLDS_PROGRAMS && { emptied: [RUN] }),
    onUnreachable: (error) => say(`${error.message} [${error.code}]`),
    onFault: once((error) => say(`the SNP device failed: ${error instanceof Error ? error.message : error}`)),
  })
  const capabilities = await runner.capabilities()
  if (isolate) requireIsolation(capabilities)
  if (capabilities.device === 'none') throw noDevice(capabilities)
  for (const notice of capabilities.notices) say(notice)
  const ownNetwork = flags.network && capabilities.networkNamespace
  if (flags.identity !== undefined && !ownNetwork) {
    const words = '--identity needs a network of the program’s own, out of which its requests come'
    throw new RunnerError('ERR_NETWORK_NAMESPACE', words)
  }
  const { guest, securityContext, hostNames, managedIdentityId, release } = await launch()
  const connection = {
    ...(managedIdentityId !== undefined && { managedIdentityId }),
    ...(flags.product !== undefined && { product: flags.product }),
  }
  try {
    const exit = await runConfidential({
      runner,
      command,
      env: programEnvironment(info, { ownNetwork, isolate }),
      cwd,
      guest,
      deviceGeneration: flags.device,
      securityContext,
      visible: [info.ca],
      ...(ownNetwork && {
        network: {
          hostNames,
          presentHostNames: () => client.hostNames(),
          onConnection: (socket, port) => relay(client, socket, port, connection),
        },
      }),
      forward: forwardSignals,
    })
    return exitCodeOf(exit)
  } finally {
    await release()
  }
}

/** A program may ask again and again. */
function once<T>(action: (value: T) => void): (value: T) => void {
  let done = false
  return (value) => {
    if (!done) action(value)
    done = true
  }
}

/** @throws RunnerError ERR_WORKING_DIRECTORY */
function workingDirectory(): string {
  try {
    return process.cwd()
  } catch {
    throw new RunnerError('ERR_WORKING_DIRECTORY', 'the working directory was removed: the program has nowhere to run')
  }
}

/** @throws RunnerError with the code of what the kernel refused */
function requireIsolation({ device, networkNamespace, missing }: RunnerCapabilities): void {
  if (device !== 'none' && networkNamespace) return
  const reason =
    missing.find(({ feature }) => feature === 'network-namespace') ??
    missing.find(({ feature }) => feature === 'mount-namespace')
  const words = `--isolate: a program cannot have a device and a network of its own here, and nothing less will do: ${reason?.message}`
  throw new RunnerError(reason?.code ?? 'ERR_CONFINEMENT', words)
}

/** Why there is no device at all: of the two ways to it the injected descriptor asks for less. */
function noDevice({ missing, notices }: RunnerCapabilities): RunnerError {
  const reason = missing.find(({ feature }) => feature === 'injected-descriptor')
  const words = 'nothing can stand below the system calls of a program on this machine'
  return new RunnerError(reason?.code ?? 'ERR_DEVICE_UNAVAILABLE', `${words}: ${reason?.message ?? notices.join(' ')}`)
}

/** Joins a connection of the program with one to the instance. */
function relay(client: InstanceClient, socket: Socket, port: 443 | 80, options: ConnectionOptions): void {
  socket.on('error', () => socket.destroy())
  client.openConnection(port, options).then(
    (upstream) => {
      upstream.on('error', () => socket.destroy())
      socket.on('close', () => upstream.destroy())
      upstream.on('close', () => socket.destroy())
      socket.pipe(upstream).pipe(socket)
    },
    () => socket.destroy(),
  )
}
