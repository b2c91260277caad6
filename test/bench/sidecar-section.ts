import { readdirSync, readFileSync } from 'node:fs'
import { createRunner } from '@skerry/emulator'
import { measureFloor, measureKeyGeneration, sumOf } from './floor.ts'
import { residentMiB } from './process-figures.ts'
import { KEY, MAA, type SidecarProcess, startAlone, startBelowRun, VAULT, type What } from './sidecar-process.ts'
import { median, ms, percentile, row } from './statistics.ts'

/** What the sidecar costs as a process: to start, in memory, for a report through the ioctl, for a whole release. */

export interface SidecarSectionOptions {
  readonly quick: boolean
  readonly say: (line?: string) => void
}

export async function benchSidecar({ quick, say }: SidecarSectionOptions): Promise<void> {
  await benchStarts(quick ? 2 : 15, say)
  const { device, notices } = await createRunner().capabilities()
  if (device !== 'mount-namespace') return say(`  reports and releases are left out: ${notices.join(' ')}`)
  await using sidecar = await startBelowRun()
  await benchReports(sidecar, quick ? 500 : 10_000, say)
  await benchReleases(sidecar, quick ? 16 : 192, say)
}

const pause = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds))
const mebibytes = (value: number | undefined) => (value === undefined ? '?' : `${value.toFixed(1)} MiB`)

/** Long enough for everything that is prepared after the start. */
const AT_REST_MS = 5000

async function benchStarts(count: number, say: (line?: string) => void): Promise<void> {
  say()
  say(row('A sidecar as a process', 'p50', 'max', 'at rest', 'goal'))
  const parts: readonly (readonly [string, What, string])[] = [
    ["Node's own share: an empty server", 'bare', ''],
    ['HTTP, to the first answer', 'http', '0.3 s, 80 MiB'],
    ['gRPC, to the first connection', 'grpc', ''],
  ]
  for (const [name, what, goal] of parts) {
    const samples: number[] = []
    for (let at = 0; at < count; at += 1) {
      await using started = await startAlone(what)
      samples.push(started.answered)
    }
    await using resting = await startAlone(what)
    await pause(AT_REST_MS)
    const memory = mebibytes(residentMiB(resting.pid)?.now)
    say(row(name, ms(median(samples)), ms(Math.max(...samples)), memory, goal))
  }
}

async function benchReports(sidecar: SidecarProcess, count: number, say: (line?: string) => void): Promise<void> {
  const body = { runtime_data: 'aGVsbG8=' }
  const ask = () => sidecar.post('/attest/raw', body)
  await load(1, 200, ask)
  const before = figuresOf(sidecar.pid)
  const { latencies, each } = await load(1, count, ask)
  const after = figuresOf(sidecar.pid)
  say()
  say(row('Reports through the ioctl, one after the other', 'p50', 'p99', 'per second'))
  say(row(`${count} of them`, ms(median(latencies)), ms(percentile(latencies, 99)), (1000 / each).toFixed(0)))
  say(row('', 'descriptors', 'threads', 'memory'))
  for (const [name, { descriptors, threads, memory }] of [
    ['before', before],
    ['after', after],
  ] as const)
    say(row(name, String(descriptors), String(threads), mebibytes(memory)))
}

async function benchReleases(sidecar: SidecarProcess, count: number, say: (line?: string) => void): Promise<void> {
  const floor = sumOf(measureFloor())
  const release = () => sidecar.post('/key/release', { maa_endpoint: MAA, akv_endpoint: VAULT, kid: KEY })
  await load(1, 8, release)
  say()
  say(row('Releases by the sidecar', 'p50', 'p99', 'per second', 'to floor'))
  say(row('floor: cryptography of both sides', ms(floor)))
  const warm: number[] = []
  for (let at = 0; at < Math.ceil(count / 8); at += 1) {
    // A wrapping key is made in the background meanwhile.
    await pause(6 * measuredKeyGeneration())
    warm.push((await load(1, 1, release)).latencies[0]!)
  }
  const paced = [ms(median(warm)), ms(percentile(warm, 99)), '', (median(warm) / floor).toFixed(2)]
  say(row('1 client, now and then: keys in stock', ...paced))
  for (const clients of [1, 8, 64]) {
    const { latencies, each } = await load(clients, count, release)
    const ratio = (clients === 1 ? median(latencies) : each) / floor
    const cells = [ms(median(latencies)), ms(percentile(latencies, 99)), (1000 / each).toFixed(0), ratio.toFixed(2)]
    say(row(`${clients} client${clients === 1 ? '' : 's'}, ${count} releases in a row`, ...cells))
  }
  say(row('RSA-2048 key generation (one a release)', ms(measuredKeyGeneration())))
  const memory = residentMiB(sidecar.pid)
  say(row('memory under load, and highest', mebibytes(memory?.now), mebibytes(memory?.highest)))
}

let generation: number | undefined
function measuredKeyGeneration(): number {
  generation ??= measureKeyGeneration()
  return generation
}

function figuresOf(pid: number) {
  const descriptors = readdirSync(`/proc/${pid}/fd`).length
  const threads = Number(/^Threads:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
  return { descriptors, threads, memory: residentMiB(pid)?.now }
}

/** A closed loop: each client begins its next request when its last one has ended. */
async function load(clients: number, count: number, work: () => Promise<unknown>) {
  const latencies: number[] = []
  let begun = 0
  const started = performance.now()
  const client = async () => {
    while (begun < count) {
      begun += 1
      const from = performance.now()
      await work()
      latencies.push(performance.now() - from)
    }
  }
  await Promise.all(Array.from({ length: clients }, client))
  return { latencies, each: (performance.now() - started) / count }
}
