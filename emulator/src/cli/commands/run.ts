import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { constants } from 'node:os'
import { resolve } from 'node:path'
import { type Command, Option } from 'commander'
import type { InstanceClient } from '../../control/client.ts'
import type { InstanceInfo } from '../../control/instance.ts'
import type { LaunchRequest } from '../../control/routes.ts'
import { cacheDirectory, runtimeDirectory } from '../../core/directories.ts'
import { networkEnvironment, trustEnvironment } from '../../doors/environment.ts'
import type { DeviceGeneration } from '../../run/index.ts'
import { UsageError, unreadable } from '../usage-error.ts'

interface RunFlags {
  readonly data?: string
  readonly policy?: string
  readonly debug?: true
  readonly device: DeviceGeneration
  readonly network: boolean
}

export function describeRun(program: Command, exit: (code: number) => void): void {
  program
    .command('run')
    .description('run a program as if inside a confidential container of the running instance')
    .argument('<command...>', 'the program and its arguments, after --')
    .option('--data <dir>', 'the instance of this data directory, when several run')
    .option('--policy <file>', 'the CCE policy (Rego text) whose SHA-256 is the host data (default: allow everything)')
    .option('--debug', 'launch the guest debuggable: release policies refuse it')
    .addOption(
      new Option('--device <name>', 'the device of which kernel generation it finds')
        .choices(['sev-guest', 'sev'])
        .default('sev-guest'),
    )
    .option('--no-network', "stay in this machine's network, with the emulator as its proxy")
    .passThroughOptions()
    .addHelpText(
      'after',
      `
Examples:
  skerry run -- ./get-snp-report                    an unmodified program opens /dev/sev-guest
  skerry run --policy policy.rego -- ./my-sidecar   with the host data that its key's release policy wants
  skerry run -- curl -s https://sharedweu.weu.attest.azure.net/certs

The program has the SNP device, a security context directory and, where the kernel allows it, a network of its own in
which Azure's names lead to the emulator and nothing else is there. Its exit code is the command's.`,
    )
    .action(async (command: readonly [string, ...string[]], flags: RunFlags) => exit(await run(command, flags)))
}

async function run(command: readonly [string, ...string[]], flags: RunFlags): Promise<number> {
  const [{ findInstance }, { connectInstance }, { createRunner, runConfidential }] = await Promise.all([
    import('../../control/instance.ts'),
    import('../../control/client.ts'),
    import('../../run/index.ts'),
  ])
  const launch = launchRequest(flags)
  const info = findInstance(flags.data && resolve(flags.data))
  // What is kept there is the instance's: a guest gets a key by attestation, not from a file.
  const runner = createRunner({ hidden: [info.data, cacheDirectory(), runtimeDirectory()] })
  const { networkNamespace, notices } = await runner.capabilities()
  for (const notice of notices) process.stderr.write(`skerry: ${notice}\n`)
  using client = connectInstance(info)
  const { guest, securityContext, hostNames, release } = await client.launchGuest(launch)
  const ownNetwork = flags.network && networkNamespace
  try {
    const { code, signal } = await runConfidential({
      runner,
      command,
      env: programEnvironment(info, ownNetwork),
      cwd: process.cwd(),
      guest,
      deviceGeneration: flags.device,
      securityContext,
      visible: [info.ca],
      ...(ownNetwork && { network: { hostNames, onConnection: (socket, port) => relay(client, socket, port) } }),
      forward: forwardSignals,
    })
    return code ?? 128 + (signalNumber(signal) ?? 0)
  } finally {
    await release()
  }
}

function launchRequest({ policy, debug }: RunFlags): LaunchRequest {
  return { ...(policy !== undefined && { ccePolicy: readPolicy(policy) }), ...(debug && { debug }) }
}

function readPolicy(file: string): string {
  let policy: Buffer
  try {
    policy = readFileSync(file)
  } catch (error) {
    throw unreadable('--policy', file, error)
  }
  if (policy.length === 0) throw new UsageError(`--policy ${file}: the file is empty`)
  return policy.toString('base64')
}

/**
 * What the caller has, without the administrator's credentials: a container signs in with its managed identity. In a
 * network of its own the emulator is where Azure's names lead, and a proxy would be out of reach.
 */
function programEnvironment(info: InstanceInfo, ownNetwork: boolean): Record<string, string> {
  const replaced = new Set([...Object.keys(networkEnvironment('', '')), 'ALL_PROXY', 'all_proxy'])
  const { clientId } = info.credentials
  const inherited = Object.entries(process.env).filter(
    ([name, value]) =>
      value !== undefined &&
      !replaced.has(name) &&
      !/^AZURE_CLIENT_SECRET$|^UVM_/.test(name) &&
      // Read as the identity to ask for, it would be one that no container has.
      !(name === 'AZURE_CLIENT_ID' && value === clientId),
  ) as [string, string][]
  const ours = ownNetwork ? trustEnvironment(info.ca) : networkEnvironment(info.proxy, info.ca)
  return { ...Object.fromEntries(inherited), ...ours }
}

/** Joins a connection of the program with one to the instance. */
function relay(client: InstanceClient, socket: Socket, port: 443 | 80): void {
  socket.on('error', () => socket.destroy())
  client.openConnection(port).then(
    (upstream) => {
      upstream.on('error', () => socket.destroy())
      socket.on('close', () => upstream.destroy())
      upstream.on('close', () => socket.destroy())
      socket.pipe(upstream).pipe(socket)
    },
    () => socket.destroy(),
  )
}

function forwardSignals(send: (signal: NodeJS.Signals) => void): Disposable {
  const names: readonly NodeJS.Signals[] = ['SIGTERM', 'SIGHUP', 'SIGINT']
  // The terminal sends SIGINT to the program itself; here it must only not end the command first.
  const handlers = names.map((name) => [name, () => (name === 'SIGINT' ? undefined : send(name))] as const)
  for (const [name, handler] of handlers) process.on(name, handler)
  return {
    [Symbol.dispose]: () => {
      for (const [name, handler] of handlers) process.off(name, handler)
    },
  }
}

function signalNumber(signal: NodeJS.Signals | null): number | undefined {
  return signal === null ? undefined : constants.signals[signal]
}
