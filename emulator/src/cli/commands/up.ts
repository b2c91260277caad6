import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { InstanceInfo } from '../../control/instance.ts'
import { defaultDataDirectory } from '../../core/directories.ts'
import { untilSignal } from '../until-signal.ts'
import { parsePort } from '../usage-error.ts'

interface UpFlags {
  readonly port?: number
  readonly data: string
  readonly json?: true
}

export function describeUp(program: Command): void {
  program
    .command('up')
    .description('run the emulator until it is told to stop')
    .option('--port <number>', 'port of the proxy on 127.0.0.1 (default: a free one)', parsePort)
    .option('--data <dir>', 'where state, keys and journal are kept', defaultDataDirectory())
    .option('--json', 'print one line of JSON when ready, for programs')
    .addHelpText(
      'after',
      `
Examples:
  skerry up                          state is kept between runs, in the directory that --data names
  skerry up --data ./scratch         an emulator of its own, beside others
  skerry up --json --port 8443       for a script: read one line, then end it with SIGTERM

With --json the line is
  {"proxy","ca","data","endpoints":{"vault","mhsm","maa","arm"},
   "credentials":{"tenantId","clientId","clientSecret","subscriptionId"}}`,
    )
    .action(up)
}

async function up(flags: UpFlags): Promise<void> {
  // Asked to end while it is still starting, it ends as soon as it has started.
  using stop = untilSignal()
  const data = resolve(flags.data)
  const [{ createEmulator }, { seedEndpoints }, { announce }] = await Promise.all([
    import('../../emulator.ts'),
    import('../seed-endpoints.ts'),
    import('../../control/instance.ts'),
  ])
  await using emulator = await createEmulator({ dataDir: data })
  const endpoints = seedEndpoints(emulator.context)
  await using wire = await emulator.listen(flags.port === undefined ? {} : { port: flags.port })
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
  using _word = await announce(info)
  const { proxy, ca } = info
  process.stdout.write(flags.json ? `${JSON.stringify({ proxy, ca, data, endpoints, credentials })}\n` : welcome(info))
  await stop.signal
}

function welcome({ url, data, endpoints, journal }: InstanceInfo): string {
  const rows = Object.entries({
    vault: endpoints.vault,
    'managed HSM': endpoints.mhsm,
    attestation: endpoints.maa,
    'resource manager': endpoints.arm,
    data,
    journal,
  }).map(([name, value]) => `  ${name.padEnd(17)} ${value}`)
  return `Skerry is up on loopback, ${url}

${rows.join('\n')}

In another shell:
  eval "$(skerry env --data ${quoteIfNeeded(data)})"
  skerry run -- COMMAND
  skerry explain

Ctrl-C ends it.
`
}

function quoteIfNeeded(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`
}
