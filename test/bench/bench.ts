import { cpus } from 'node:os'
import { measureFloor, measureKeyGeneration, sumOf } from './floor.ts'
import { openReleaseBench } from './release.ts'
import { measureStarts, type Start } from './start.ts'
import { median, ms, percentile, row } from './statistics.ts'

// npm run bench: what a release and a start cost, beside what they cannot cost less than. It says numbers and judges none.

const say = (line = '') => process.stdout.write(`${line}\n`)

/** A closed loop: each client begins its next release when its last one has ended. */
async function load(clients: number, count: number, work: () => Promise<void>) {
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

const WARM_UP = 60
const RELEASES = 400
const SUSTAINED = 60
const STARTS = 5

say(`Node ${process.version}, OpenSSL ${process.versions.openssl}, ${cpus().length} x ${cpus()[0]?.model ?? 'CPU'}`)

const parts = measureFloor()
const floor = sumOf(parts)
say()
say(row('Cryptography of one release', 'times', 'each'))
for (const { name, times, each } of parts) say(row(name, String(times), ms(each)))
say(row('floor: their sum', '', ms(floor)))
say(row('RSA-2048 key generation (from stock: not in it)', '', ms(measureKeyGeneration())))

{
  await using bench = await openReleaseBench()
  await load(4, WARM_UP, bench.release)
  say()
  say(row('A whole release, over HTTPS', 'p50', 'p99', 'per second', 'to floor'))
  for (const clients of [1, 8]) {
    const { latencies, each } = await load(clients, RELEASES, bench.release)
    const times = [ms(median(latencies)), ms(percentile(latencies, 99)), (1000 / each).toFixed(0)]
    // One client waits for each release; of several, one waits for the others.
    const ratio = (clients === 1 ? median(latencies) : each) / floor
    say(row(`${clients} client${clients === 1 ? '' : 's'}, ${RELEASES} releases`, ...times, ratio.toFixed(2)))
  }
  const { latencies, each } = await load(8, SUSTAINED, bench.releaseSustained)
  const times = [ms(median(latencies)), ms(percentile(latencies, 99)), (1000 / each).toFixed(0)]
  say(row('8 clients, a new wrapping key each', ...times))
}

const starts = await measureStarts(STARTS)
say()
say(row('From starting `skerry up` as a process', 'p50', 'max', 'goal'))
const started = (name: string, all: readonly Start[], what: keyof Start, goal = '') => {
  const samples = all.map((each) => each[what])
  say(row(name, ms(median(samples)), ms(Math.max(...samples)), goal))
}
started('cold (nothing cached): first answer', starts.cold, 'answered', '< 4 s')
started('cold: the certificates of the processor', starts.cold, 'certified', '< 4 s')
started("warm (this machine's keys): first answer", starts.warm, 'answered', '< 300 ms')
started('warm: the certificates of the processor', starts.warm, 'certified')
started('again (same data directory): first answer', starts.again, 'answered', '< 300 ms')
started('again: the certificates of the processor', starts.again, 'certified')
