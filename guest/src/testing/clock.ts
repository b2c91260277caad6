import type { Clock } from '../clock.ts'

/** Stands still; what waits is let go at once and written down. */
export function stillClock(at = '2026-01-01T00:00:00Z'): Clock & { readonly waits: number[] } {
  const waits: number[] = []
  return {
    waits,
    now: () => Date.parse(at),
    sleep: async (ms) => {
      waits.push(ms)
    },
  }
}
