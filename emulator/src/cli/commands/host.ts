import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Command } from 'commander'
import { NoInstanceError } from '../../control/instance.ts'
import { appError } from '../flag-errors.ts'
import { requireFreePort } from '../free-port.ts'
import { untilSignal } from '../until-signal.ts'
import { parsePort, UsageError } from '../usage-error.ts'

interface HostFlags {
  readonly app: string
  readonly port: number
  readonly data?: string
  readonly store?: string
  readonly json?: true
}

export function describeHost(program: Command): void {
  program
    .command('host')
    .description('run an Azure Functions app, unmodified, against the running instance')
    .option('--app <dir>', "the app's root: where host.json and package.json are", '.')
    .option('--port <number>', 'port of the app on 127.0.0.1; 0 for a free one', parsePort, 7071)
    .option('--data <dir>', 'the instance of this directory, when several run')
    .option('--store <dir>', "where the task hub is kept (default: the instance's directory, else .skerry/host)")
    .option('--json', 'print one line of JSON when ready, for programs')
    .addHelpText(
      'after',
      `
Examples:
  skerry host                        the app in this directory, on http://127.0.0.1:7071
  skerry host --app ../my-app --port 0 --json

The app's settings are this shell's environment and its local.settings.json. Orchestrations go on where they were when
the host ended, however it ended; without --store, for as long as the instance keeps its own state.
With --json the line is {"url","masterKey","functionKey","functions"}.`,
    )
    .action(host)
}

async function host(flags: HostFlags): Promise<void> {
  // Asked to end while it is still starting, it ends as soon as it has started.
  using stop = untilSignal()
  const [{ startFunctionsHost }, { entryFiles }, { systemClock }] = await Promise.all([
    import('../../host/index.ts'),
    import('../../host/app/load-app.ts'),
    import('../../core/clock.ts'),
  ])
  const appDir = resolve(flags.app)
  try {
    entryFiles(appDir)
  } catch (error) {
    throw appError(flags.app, error)
  }
  await requireFreePort('--port', flags.port)
  const instance = await runningInstance(flags.data)
  const store = resolve(flags.store ?? (instance ? join(instance.data, 'host') : join('.skerry', 'host')))
  using hub = hubFolder(store)
  const running = await startFunctionsHost({
    appDir,
    port: flags.port,
    dataDir: store,
    env: { ...process.env, ...instance?.environment },
    ...(instance && { caPem: readFileSync(instance.ca, 'utf8') }),
    clock: systemClock(),
    log: ({ level, message }) => {
      if (level === 'warning' || level === 'error' || level === 'critical') process.stderr.write(`${message}\n`)
    },
  }).catch((error: unknown) => {
    if ((error as { code?: unknown }).code !== 'ERR_HOST_DATA_IN_USE') throw appError(flags.app, error)
    throw new Error(`--store ${store}: ${(error as Error).message}`)
  })
  try {
    const { url, masterKey, functionKey } = running
    const functions = running.functions.map(({ name }) => name)
    hub.keep()
    if (stop.asked) return
    process.stdout.write(
      flags.json
        ? `${JSON.stringify({ url, masterKey, functionKey, functions })}\n`
        : welcome(url, functionKey, functions, instance?.data),
    )
    await stop.signal
  } finally {
    await running.stop()
  }
}

/** The hub's folder: gone again when it was made for a host that then could not start. */
function hubFolder(store: string): { keep(): void } & Disposable {
  let made: string | undefined
  try {
    made = mkdirSync(store, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw new UsageError(`--store ${store}: cannot be used as a directory (${(error as NodeJS.ErrnoException).code})`)
  }
  return {
    keep() {
      made = undefined
    },
    [Symbol.dispose]: () => {
      if (made !== undefined) rmSync(made, { recursive: true, force: true })
    },
  }
}

/** Without an instance the app still runs: it then reaches whatever its settings say. */
async function runningInstance(data: string | undefined) {
  const [{ findInstance }, { instanceEnvironment }] = await Promise.all([
    import('../../control/instance.ts'),
    import('./env.ts'),
  ])
  try {
    const info = findInstance(data && resolve(data))
    return { ...info, environment: instanceEnvironment(info) }
  } catch (error) {
    if (error instanceof NoInstanceError && data === undefined) return undefined
    throw error
  }
}

function welcome(url: string, functionKey: string, functions: readonly string[], data: string | undefined): string {
  return `The app is up on ${url}, ${data ? `against the instance in ${data}` : 'with no Skerry instance running'}

  functions         ${functions.join(', ')}
  x-functions-key   ${functionKey}

Ctrl-C ends it.
`
}
