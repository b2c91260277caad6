import { join, resolve } from 'node:path'
import { type Command, Option } from 'commander'
import type { InstanceInfo } from '../../control/instance.ts'
import type { Faults } from '../../core/faults.ts'
import type { Emulator, EmulatorOptions, WireEndpoint } from '../../emulator.ts'
import { PROCESSOR_NAMES, type ProcessorName, REPORT_VERSIONS, type ReportVersion } from '../../psp/products.ts'
import type { ParsedSeed } from '../../seed/index.ts'
import { dataError, seedFileError, stateFileError } from '../flag-errors.ts'
import { requireFreePort } from '../free-port.ts'
import { untilSignal } from '../until-signal.ts'
import {
  addAuthority,
  addFault,
  addReleasePolicy,
  FAULT_FORMS,
  parseProcessor,
  parseReportVersion,
  parseTrust,
  parseWebhook,
  RELEASE_POLICY_CHOICES,
  TRUSTS,
} from '../up/flags.ts'
import { type SettingFlags, settingsOf } from '../up/settings.ts'
import { parsePort } from '../usage-error.ts'

interface UpFlags extends SettingFlags {
  readonly port: number
  readonly data?: string
  readonly seed?: string
  readonly state?: string
  readonly processor?: ProcessorName
  readonly reportVersion?: ReportVersion
  readonly vlek?: true
  readonly fault?: Faults
  readonly json?: true
}

export function describeUp(program: Command): void {
  program
    .command('up')
    .description('run the emulator until it is told to stop')
    .option('--port <number>', 'port of the proxy on 127.0.0.1; 0 for a free one', parsePort, 0)
    .option('--data <dir>', 'keep state, keys and journal in this directory (default: in memory, gone at the end)')
    .option('--seed <file>', 'what exists from the start, in the place of the default (SEED.md)')
    .addOption(new Option('--state <file>', 'start with a state that skerry state export wrote').conflicts('seed'))
    .option(
      '--authority <origin>',
      'where the vault may ask for metadata and keys of another authority; repeatable',
      addAuthority,
    )
    .addOption(
      new Option(
        '--authority-check <when>',
        'when the authorities of a release policy are asked for their keys',
      ).choices(['atRelease', 'atCreation']),
    )
    .option('--event-webhook <url>', "where Event Grid's events of vaults are posted", parseWebhook)
    .option(
      '--processor <product>',
      `the processor under the guests: ${PROCESSOR_NAMES.join('|')} (default: Milan)`,
      parseProcessor,
    )
    .option(
      '--report-version <number>',
      `the version of its reports: ${REPORT_VERSIONS.join('|')} (default: 3; of a Turin 5)`,
      parseReportVersion,
    )
    .option('--vlek', 'its reports are signed with a key of the cloud (VLEK) instead of the chip’s (VCEK)')
    .option(
      '--attestation-trust <who>',
      `whose processors attestation believes: ${TRUSTS.join('|')} (default: emulator); of SGX, amd and both mean Intel's root`,
      parseTrust,
    )
    .option('--release-policy <point=value>', `how policies are read; repeatable: ${choices()}`, addReleasePolicy)
    .option('--fault <name=value>', `what goes wrong on purpose; repeatable: ${faults()}`, addFault)
    .option('--json', 'print one line of JSON when ready, for programs')
    .addHelpText(
      'after',
      `
Examples:
  skerry up                          a new, empty emulator: what is made in it ends with it
  skerry up --data ./azure           one that goes on where it was, with the same tenant, keys and groups
  skerry up --seed seed.json         with vaults, principals, roles and keys of your own (examples/seed.json)
  skerry up --state fixture.json.gz  with what another one held
  skerry up --json --port 8443       for a script: read one line, then end it with SIGTERM
  skerry up --authority https://localhost:5001       releases to tokens of a test attestation service
  skerry up --release-policy operators=equals-only   as strict as the grammar page's own text
  skerry up --processor Turin --attestation-trust both   a Turin; evidence of production hosts is believed, too
  skerry up --fault delete-delay=5s --fault throttle=10:1

With --json the line is
  {"proxy","ca","data","endpoints":{"vault","mhsm","maa","arm"},
   "credentials":{"tenantId","clientId","clientSecret","subscriptionId"},
   "managedIdentity":{"clientId","principalId","resourceId"}}
"data" names the instance for the other commands (--data): its data directory, or, without one, a private folder that
is removed at the end. Of a seed, the first vault and managed HSM are named. SIGTERM or Ctrl-C ends it and the containers
that run in it.`,
    )
    .action(up)
}

const choices = () =>
  Object.entries(RELEASE_POLICY_CHOICES)
    .map(([name, values]) => `${name}=${values.join('|')}`)
    .join(', ')

const faults = () =>
  Object.entries(FAULT_FORMS)
    .map(([name, form]) => `${name}=${form}`)
    .join(', ')

async function up(flags: UpFlags): Promise<void> {
  // Asked to end while it is still starting, it ends as soon as it has started.
  using stop = untilSignal()
  await requireFreePort('--port', flags.port)
  const [{ createEmulator }, { announce, makeRuntimeFolder }, { worldOf }] = await Promise.all([
    import('../../emulator.ts'),
    import('../../control/instance.ts'),
    import('../up/world.ts'),
  ])
  const given = await givenState(flags)
  using cleanup = new DisposableStack()
  const data = flags.data === undefined ? cleanup.use(makeRuntimeFolder()).path : resolve(flags.data)
  const { document } = given.parsedSeed ?? {}
  const info = (emulator: Emulator, wire: WireEndpoint): InstanceInfo => ({
    pid: process.pid,
    startedAt: new Date(emulator.context.clock.now()).toISOString(),
    url: wire.url,
    controlToken: emulator.credential.controlToken,
    proxy: wire.proxyUrl,
    ca: emulator.caFile,
    data,
    journal: emulator.context.journal.file ?? '',
    appService: wire.appServiceEnvironment(),
    ...worldOf(emulator.context, document),
  })
  let word: Disposable | undefined
  cleanup.defer(() => word?.[Symbol.dispose]())
  await using emulator = await createEmulator({
    ...(flags.data === undefined ? { runtimeDir: data, journalFile: join(data, 'journal.jsonl') } : { dataDir: data }),
    ...given,
    settings: settingsOf(flags),
    processor: {
      ...(flags.processor !== undefined && { product: flags.processor }),
      ...(flags.reportVersion !== undefined && { reportVersion: flags.reportVersion }),
      ...(flags.vlek && { signing: 'vlek' }),
    },
    ...(flags.fault !== undefined && { faults: flags.fault }),
    // Whoever looks for this instance finds the new tenant.
    imported: async () => {
      word = await announce(info(emulator, wire))
    },
  }).catch((error: unknown) => {
    throw startError(flags, data, error)
  })
  await using wire = await emulator.listen({ port: flags.port })
  if (stop.asked) return
  const ready = info(emulator, wire)
  word = await announce(ready)
  const { proxy, ca, endpoints, credentials, managedIdentity } = ready
  const line = { proxy, ca, data, endpoints, credentials, managedIdentity }
  const { welcome } = await import('../up/welcome.ts')
  process.stdout.write(flags.json ? `${JSON.stringify(line)}\n` : welcome(ready, flags.data !== undefined))
  await stop.signal
}

/** What it starts with, read and checked before anything is made. */
async function givenState(flags: UpFlags): Promise<Pick<EmulatorOptions, 'state' | 'defaultSeed' | 'parsedSeed'>> {
  if (flags.state !== undefined) {
    const { readStateFile } = await import('../../state/parse.ts')
    return {
      state: explained(
        () => readStateFile(flags.state!),
        (error) => stateFileError('--state', flags.state!, error),
      ),
    }
  }
  if (flags.seed === undefined) {
    const { DEFAULT_SEED } = await import('../../seed/default-document.ts')
    return { defaultSeed: DEFAULT_SEED }
  }
  const { readSeedFile } = await import('../../seed/index.ts')
  const parsedSeed: ParsedSeed = explained(
    () => readSeedFile(flags.seed!),
    (error) => seedFileError(flags.seed!, error),
  )
  for (const warning of parsedSeed.warnings) process.stderr.write(`skerry: --seed: ${warning}\n`)
  return { parsedSeed }
}

function explained<T>(read: () => T, explain: (error: unknown) => unknown): T {
  try {
    return read()
  } catch (error) {
    throw explain(error)
  }
}

/** What was wrong with what it was started with, with the flag that gave it. */
function startError(flags: UpFlags, data: string, error: unknown): unknown {
  const { code } = error as { code?: unknown }
  if (code === 'ERR_SEED') return seedFileError(flags.seed ?? 'the default', error)
  if (code === 'ERR_STATE' || code === 'ERR_STATE_EXISTS') return stateFileError('--state', flags.state ?? '', error)
  return flags.data === undefined ? error : dataError(flags.data, data, error)
}
