import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { SECURITY_CONTEXT_DIR_VARIABLE } from '@skerry/guest/wire'
import { type Command, Option } from 'commander'
import type { ControlError, InstanceClient } from '../../control/client.ts'
import { SNP_PRODUCTS } from '../../psp/products.ts'
import { RunnerError } from '../../run/errors.ts'
import { launchRequest, parseTcb, parseVmpl, type RunFlags } from '../run/flags.ts'
import { UsageError } from '../usage-error.ts'

export function describeRun(program: Command, exit: (code: number) => void): void {
  program
    .command('run')
    .description('run a program as if inside a confidential container of the running instance')
    .argument('[command...]', 'the program and its arguments, after --')
    .option('--data <dir>', 'the instance of this data directory, when several run')
    .option('--policy <file>', 'the CCE policy (Rego text) whose SHA-256 is the host data (default: allow everything)')
    .option('--debug', 'launch the guest debuggable: release policies refuse it')
    .option('--vmpl <level>', 'the privilege level that it is launched at, 0 to 3 (default: 0)', parseVmpl)
    .addOption(
      new Option('--product <name>', "on a processor of this product (default: the instance's)").choices(SNP_PRODUCTS),
    )
    .option('--tcb <levels>', "first move the instance's host to these levels: microcode=0xdc,snp=25", parseTcb)
    .option('--identity <name>', 'the one managed identity that it has: name, client id, object id or resource id')
    .addOption(
      new Option('--device <name>', 'the device of which kernel generation it finds')
        .choices(['sev-guest', 'sev'])
        .default('sev-guest'),
    )
    .option('--isolate', 'in a network of its own or not at all: fail where the kernel refuses namespaces')
    .addOption(
      new Option('--no-network', "stay in this machine's network, with the emulator as its proxy").conflicts('isolate'),
    )
    .addOption(
      new Option(
        '--seccomp-profile <file>',
        'write an OCI seccomp profile and serve the containers of runc, crun, Podman or Docker that use it',
      ).conflicts(['isolate', 'identity']),
    )
    .option('--seccomp-node', 'with it: notify the device’s ioctl only, for containers with a node at its path')
    .passThroughOptions()
    .addHelpText(
      'after',
      `
Examples:
  skerry run -- ./get-snp-report                    an unmodified program opens /dev/sev-guest
  skerry run --policy policy.rego -- ./my-sidecar   with the host data that its key's release policy wants
  skerry run --isolate -- curl -s https://sharedweu.weu.attest.azure.net/certs
  skerry run --seccomp-profile snp.json -- crun run -b BUNDLE ID     config.json: linux.seccomp is snp.json
  skerry run --seccomp-profile snp.json             until Ctrl-C, for: docker run --security-opt seccomp=snp.json …

The program has the SNP device, a security context directory and, where the kernel allows it, a network of its own in
which Azure's names lead to the emulator and nothing else is there. Its exit code is the command's.

Where the kernel refuses a namespace, the program keeps this machine's network and a notice says so. --isolate does not
put up with that: Azure's names and 169.254.169.254 lead to the emulator on ports 443 and 80, there is no route to
anywhere else, /run is empty, no proxy is set; or the command fails, with the feature that is missing and a code.

With --seccomp-profile the runtime is not confined itself. Its containers find the device; UVM_SECURITY_CONTEXT_DIR and
SKERRY_CA_FILE are set for it, to be mounted. The listener's socket is FILE.sock. The containers' processes must be this user's (root's for
Docker), and where Yama is on, the runtime's must descend from this command or make a user namespace.`,
    )
    .action(async (command: readonly string[], flags: RunFlags) => exit(await run(command, flags)))
}

async function run(command: readonly string[], flags: RunFlags): Promise<number> {
  const { seccompProfile } = flags
  const [first, ...rest] = command
  if (first === undefined && seccompProfile === undefined) {
    throw new UsageError("missing required argument 'command'; skerry run --help explains")
  }
  if (flags.seccompNode === true && seccompProfile === undefined) {
    throw new UsageError('--seccomp-node goes with --seccomp-profile')
  }
  const request = launchRequest(flags)
  const [{ findInstance }, { connectInstance }] = await Promise.all([
    import('../../control/instance.ts'),
    import('../../control/client.ts'),
  ])
  const info = belowAnother(() => findInstance(flags.data && resolve(flags.data)))
  using client = connectInstance(info)
  const launch = async () => {
    if (flags.tcb !== undefined) await moveHost(client, flags)
    try {
      return await client.launchGuest(request)
    } catch (error) {
      throw refused(error)
    }
  }
  const say = (line: string) => void process.stderr.write(`skerry: ${line}\n`)
  try {
    if (seccompProfile !== undefined) {
      const { runWithProfile } = await import('../run/runtime.ts')
      return await runWithProfile({ command, flags: { ...flags, seccompProfile }, caFile: info.ca, launch, say })
    }
    const { runProgram } = await import('../run/program.ts')
    return await runProgram({ command: [first!, ...rest], flags, info, client, launch, say })
  } catch (error) {
    throw withCode(error)
  }
}

/**
 * A program of `skerry run` that runs `skerry run`: the instance is hidden from it, and were it not, there could still be
 * one listener.
 */
function belowAnother<T>(find: () => T): T {
  try {
    return find()
  } catch (error) {
    const { [SECURITY_CONTEXT_DIR_VARIABLE]: context } = process.env
    if (context === undefined || !/^Seccomp:\s*2$/m.test(ownStatus())) throw error
    const words = 'this is a program of skerry run itself: it has an SNP device, and can give none to others'
    throw withCode(new RunnerError('ERR_SECCOMP_LISTENER_TAKEN', words))
  }
}

function ownStatus(): string {
  try {
    return readFileSync('/proc/self/status', 'utf8')
  } catch {
    return ''
  }
}

/** What the instance says of a launch that it was asked for: a flag is to blame. */
function refused(error: unknown): unknown {
  const { answer } = error as Partial<ControlError>
  return answer?.status === 400 || answer?.status === 404 ? new UsageError(answer.message) : error
}

/** The host is the instance's: what else runs there goes with it. */
async function moveHost(client: InstanceClient, { tcb = {}, product }: RunFlags): Promise<void> {
  const host = await client.processor()
  if (product !== undefined && product !== host.product) {
    throw new UsageError(
      `--tcb moves the instance's own host, a ${host.product}; it does not go with --product ${product}`,
    )
  }
  await client.rollTcb({ tcb })
}

/** What the kernel refuses has a code that a person can look up; what was mistyped says all by itself. */
function withCode(error: unknown): unknown {
  const { code, name } = error as { code?: string; name?: string }
  if (!(error instanceof Error) || name !== 'RunnerError' || code === undefined || /^ERR_COMMAND_NOT/.test(code)) {
    return error
  }
  return Object.assign(new Error(`${error.message} [${code}]`, { cause: error }), { code })
}
