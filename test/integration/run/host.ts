// An emulator's process in small, for run.test.ts: it is killed, ended, or run as another user, and what it held up must
// go with it. Arguments: `hold` | `hold-in-worker` | `report` | `undumpable` | `capabilities`, the mechanism, the client.
import { isMainThread, Worker } from 'node:worker_threads'
import { createRunner, type DeviceMechanism } from '../../../emulator/src/run/index.ts'
import { guestDouble } from './guest-double.ts'

const [mode, mechanism, client] = process.argv.slice(2) as [string, 'auto' | DeviceMechanism, string]

async function start(command: readonly [string, ...string[]]) {
  const runner = createRunner({
    device: mechanism,
    onUnreachable: ({ code, message }) => process.stdout.write(`${code} ${message}\n`),
  })
  const { device, notices } = await runner.capabilities()
  if (device === 'none') throw new Error(notices.join(' '))
  const network = mechanism === 'mount-namespace' ? await runner.createNetwork({ onConnection: () => {} }) : undefined
  return runner.start({
    command,
    env: {},
    guest: guestDouble(),
    ...(network !== undefined && { network }),
    output: (line) => process.stdout.write(`${line}\n`),
  })
}

if (mode === 'capabilities') {
  process.stdout.write(`${JSON.stringify(await createRunner({ device: mechanism }).capabilities())}\n`)
} else if (mode === 'report') {
  const { exit } = await start([client, 'report', '/dev/sev-guest', '9'])
  const { code } = await exit
  process.exit(code ?? 1)
} else if (mode === 'undumpable') {
  await (await start([client, 'undumpable', '/dev/sev-guest'])).exit
} else if (mode === 'hold-in-worker' && isMainThread) {
  const worker = new Worker(new URL(import.meta.url), { argv: process.argv.slice(2) })
  process.stdin.once('data', () => void worker.terminate().then(() => process.stdout.write('terminated\n')))
} else {
  await start([client, 'wait-with-child'])
}
