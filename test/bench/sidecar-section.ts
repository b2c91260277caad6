import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { createRunner } from '@skerry/emulator'
import { closedLoop } from './closed-loop.ts'
import { meanKeyGeneration, measureFloor, sumOf } from './floor.ts'
import { cpuMilliseconds, residentMiB } from './process-figures.ts'
import {
  KEY,
  MAA,
  type SidecarProcess,
  type SidecarWithVault,
  startAlone,
  startBelowRun,
  VAULT,
  type What,
} from './sidecar-process.ts'
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
  await benchReleases(sidecar, quick ? 1 : 4, say)
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
  await closedLoop(1, 200, ask)
  const before = figuresOf(sidecar.pid)
  const { latencies, each } = await closedLoop(1, count, ask)
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

/** How many wrapping keys a sidecar has in stock when it has seen a burst of as many. */
const STOCK = 64

/**
 * Twice: with wrapping keys in stock, in bursts that are no larger than the stock, which is refilled in between; and
 * sustained, when each release has to wait for its key. All of it, both sides and the keys, has the same processors, so
 * that the floor of several clients is what those can do in parallel; that of one client is one step after the other.
 */
async function benchReleases(sidecar: SidecarWithVault, rounds: number, say: (line?: string) => void): Promise<void> {
  const processors = availableParallelism()
  const cryptography = sumOf(measureFloor())
  const generation = meanKeyGeneration()
  const release = () => sidecar.post('/key/release', { maa_endpoint: MAA, akv_endpoint: VAULT, kid: KEY })
  say()
  say(row(`Releases, ${processors} processors for both sides`, 'p50', 'p99', 'per second', 'to floor'))
  say(row('floor: cryptography of both sides', ms(cryptography), '', perSecond(cryptography / processors)))
  say(row('  and an RSA-2048 key, mean', ms(generation), '', perSecond((cryptography + generation) / processors)))
  await closedLoop(STOCK, STOCK, release)
  await refilled(sidecar.pid)
  const costs: string[][] = []
  for (const clients of [1, 8, 64]) {
    const { latencies, each, cpu } = await bursts(sidecar, { clients, rounds, release })
    const ratio = clients === 1 ? median(latencies) / cryptography : (each * processors) / cryptography
    say(row(`${named(clients)}, keys in stock`, ...cells(latencies, each, ratio)))
    costs.push([named(clients), ms(cpu.sidecar), ms(cpu.emulator)])
  }
  for (const clients of [1, 8, 64]) {
    // What is left in stock is not to count.
    await closedLoop(8, STOCK, release)
    const { latencies, each } = await closedLoop(clients, rounds * 48, release)
    const ratio = (each * processors) / (cryptography + generation)
    say(row(`${named(clients)}, sustained: keys made as they go`, ...cells(latencies, each, ratio)))
  }
  say()
  say(row('Processor time of a release, keys in stock', 'sidecar', 'emulator'))
  for (const [name = '', ...each] of costs) say(row(name, ...each))
  say()
  say(row('Memory under load', 'now', 'highest', 'goal'))
  const memory = (name: string, pid: number, goal = '') => {
    const { now, highest } = residentMiB(pid) ?? {}
    say(row(name, mebibytes(now), mebibytes(highest), goal))
  }
  memory('the sidecar', sidecar.pid, '80 MiB')
  await using bare = await startAlone('bare')
  await closedLoop(64, rounds * 500, () => bare.post('/', {}))
  memory(`an empty server, ${rounds * 500} requests`, bare.pid)
}

const named = (clients: number) => `${clients} client${clients === 1 ? '' : 's'}`
const perSecond = (each: number) => (1000 / each).toFixed(0)
const cells = (latencies: readonly number[], each: number, ratio: number) => [
  ms(median(latencies)),
  ms(percentile(latencies, 99)),
  perSecond(each),
  ratio.toFixed(2),
]

interface Bursts {
  readonly clients: number
  readonly rounds: number
  readonly release: () => Promise<unknown>
}

async function bursts({ pid, emulator }: SidecarWithVault, { clients, rounds, release }: Bursts) {
  const processorTime = () => [pid, ...emulator].map((process) => cpuMilliseconds(process) ?? Number.NaN)
  const latencies: number[] = []
  const spent = { wall: 0, sidecar: 0, emulator: 0 }
  for (let round = 0; round < rounds; round += 1) {
    const before = processorTime()
    const burst = await closedLoop(clients, STOCK, release)
    const [sidecar = 0, ...others] = processorTime().map((after, index) => after - before[index]!)
    spent.wall += burst.each * STOCK
    spent.sidecar += sidecar
    spent.emulator += others.reduce((sum, each) => sum + each, 0)
    latencies.push(...burst.latencies)
    await refilled(pid)
  }
  const count = latencies.length
  return {
    latencies,
    each: spent.wall / count,
    cpu: { sidecar: spent.sidecar / count, emulator: spent.emulator / count },
  }
}

/** Until it does nothing any more: a key takes several times as long as this waits. */
async function refilled(pid: number): Promise<void> {
  for (let before = Number.NaN; ; ) {
    await pause(300)
    const now = cpuMilliseconds(pid) ?? 0
    if (now - before < 20) return
    before = now
  }
}

function figuresOf(pid: number) {
  const descriptors = readdirSync(`/proc/${pid}/fd`).length
  const threads = Number(/^Threads:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
  return { descriptors, threads, memory: residentMiB(pid)?.now }
}
