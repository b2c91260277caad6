import { closedLoop } from './closed-loop.ts'
import { measureFloor, measureKeyGeneration, sumOf } from './floor.ts'
import { openReleaseBench } from './release.ts'
import { median, ms, percentile, row } from './statistics.ts'

/** What a whole release costs, from the report to the unwrapped key: guest, attestation service and vault together. */

const WARM_UP = 60

export interface ReleaseSectionOptions {
  readonly count: number
  readonly say: (line?: string) => void
}

export async function benchRelease({ count, say }: ReleaseSectionOptions): Promise<void> {
  const parts = measureFloor()
  const floor = sumOf(parts)
  say()
  say(row('Cryptography of one release', 'times', 'each'))
  for (const { name, times, each } of parts) say(row(name, String(times), ms(each)))
  say(row('floor: their sum', '', ms(floor)))
  say(row('RSA-2048 key generation (from stock: not in it)', '', ms(measureKeyGeneration())))

  await using bench = await openReleaseBench()
  await closedLoop(4, WARM_UP, bench.release)
  say()
  say(row('A whole release, over HTTPS', 'p50', 'p99', 'per second', 'to floor'))
  for (const clients of [1, 8]) {
    const { latencies, each } = await closedLoop(clients, count, bench.release)
    const times = [ms(median(latencies)), ms(percentile(latencies, 99)), (1000 / each).toFixed(0)]
    // One client waits for each release; of several, one waits for the others.
    const ratio = (clients === 1 ? median(latencies) : each) / floor
    say(row(`${clients} client${clients === 1 ? '' : 's'}, ${count} releases`, ...times, ratio.toFixed(2)))
  }
  const { latencies, each } = await closedLoop(8, Math.ceil(count / 7), bench.releaseSustained)
  const times = [ms(median(latencies)), ms(percentile(latencies, 99)), (1000 / each).toFixed(0)]
  say(row('8 clients, a new wrapping key each', ...times))
}
