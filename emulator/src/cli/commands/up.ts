import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import type { InstanceInfo } from '../../control/instance.ts'
import { dataError } from '../flag-errors.ts'
import { requireFreePort } from '../free-port.ts'
import { untilSignal } from '../until-signal.ts'
import { parsePort } from '../usage-error.ts'

interface UpFlags {
  readonly port: number
  readonly data?: string
  readonly json?: true
}

export function describeUp(program: Command): void {
  program
    .command('up')
    .description('run the emulator until it is told to stop')
    .option('--port <number>', 'port of the proxy on 127.0.0.1; 0 for a free one', parsePort, 0)
    .option('--data <dir>', 'keep state, keys and journal in this directory (default: in memory, gone at the end)')
    .option('--json', 'print one line of JSON when ready, for programs')
    .addHelpText(
      'after',
      `
Examples:
  skerry up                          a new, empty emulator: what is made in it ends with it
  skerry up --data ./azure           one that goes on where it was, with the same tenant, keys and groups
  skerry up --json --port 8443       for a script: read one line, then end it with SIGTERM

With --json the line is
  {"proxy","ca","data","endpoints":{"vault","mhsm","maa","arm"},
   "credentials":{"tenantId","clientId","clientSecret","subscriptionId"}}
"data" names the instance for the other commands (--data): its data directory, or, without one, a private folder that
is removed at the end. SIGTERM or Ctrl-C ends it and the containers that run in it.`,
    )
    .action(up)
}

async function up(flags: UpFlags): Promise<void> {
  // Asked to end while it is still starting, it ends as soon as it has started.
  using stop = untilSignal()
  await requireFreePort('--port', flags.port)
  const [{ createEmulator }, { seedEndpoints }, { announce, makeRuntimeFolder }] = await Promise.all([
    import('../../emulator.ts'),
    import('../seed-endpoints.ts'),
    import('../../control/instance.ts'),
  ])
  using cleanup = new DisposableStack()
  const data = flags.data === undefined ? cleanup.use(makeRuntimeFolder()).path : resolve(flags.data)
  await using emulator = await createEmulator(
    flags.data === undefined ? { runtimeDir: data, journalFile: join(data, 'journal.jsonl') } : { dataDir: data },
  ).catch((error: unknown) => {
    throw flags.data === undefined ? error : dataError(flags.data, data, error)
  })
  const endpoints = seedEndpoints(emulator.context)
  await using wire = await emulator.listen({ port: flags.port })
  const { seed, journal, clock } = emulator.context
  const credentials = {
    tenantId: seed.tenantId,
    clientId: seed.admin.clientId,
    clientSecret: seed.admin.clientSecret,
    subscriptionId: seed.subscriptionId,
  }
  const info: InstanceInfo = {
    pid: process.pid,
    startedAt: new Date(clock.now()).toISOString(),
    url: wire.url,
    controlToken: emulator.credential.controlToken,
    proxy: wire.proxyUrl,
    ca: wire.caFile,
    data,
    journal: journal.file ?? '',
    endpoints,
    credentials,
  }
  if (stop.asked) return
  using _word = await announce(info)
  const { proxy, ca } = info
  const line = { proxy, ca, data, endpoints, credentials }
  process.stdout.write(flags.json ? `${JSON.stringify(line)}\n` : welcome(info, flags.data !== undefined))
  await stop.signal
}

function welcome({ url, data, endpoints, journal }: InstanceInfo, kept: boolean): string {
  const rows = Object.entries({
    vault: endpoints.vault,
    'managed HSM': endpoints.mhsm,
    attestation: endpoints.maa,
    'resource manager': endpoints.arm,
    state: kept ? data : 'in memory, gone when this ends (--data DIR keeps it)',
    journal,
  }).map(([name, value]) => `  ${name.padEnd(17)} ${value}`)
  return `Skerry is up on loopback, ${url}

${rows.join('\n')}

In another shell:
  eval "$(skerry env${kept ? ` --data ${quoteIfNeeded(data)}` : ''})"
  skerry run -- COMMAND
  skerry explain

Ctrl-C ends it.
`
}

function quoteIfNeeded(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`
}
