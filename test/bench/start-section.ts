import { measureStarts, type Start } from './start.ts'
import { median, ms, row } from './statistics.ts'

/** How long it takes from starting the process to its answers. */

export interface StartSectionOptions {
  readonly count: number
  readonly say: (line?: string) => void
}

export async function benchStart({ count, say }: StartSectionOptions): Promise<void> {
  const starts = await measureStarts(count)
  say()
  say(row('From starting `skerry up` as a process', 'p50', 'max', 'goal'))
  const started = (name: string, all: readonly Start[], what: keyof Start, goal = '') => {
    const samples = all.map((each) => each[what])
    say(row(name, ms(median(samples)), ms(Math.max(...samples)), goal))
  }
  started('cold (nothing cached): first answer', starts.cold, 'answered', '< 4 s')
  started('cold: the certificates of the processor', starts.cold, 'certified', '< 4 s')
  started("warm (this machine's keys): first answer", starts.warm, 'answered', '< 0.7 s')
  started('warm: the certificates of the processor', starts.warm, 'certified')
  started('again (same data directory): first answer', starts.again, 'answered', '< 0.7 s')
  started('again: the certificates of the processor', starts.again, 'certified')
}
