/** Nearest-rank percentile of unsorted milliseconds. */
export function percentile(samples: readonly number[], rank: number): number {
  const sorted = samples.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil((rank / 100) * sorted.length) - 1)] ?? Number.NaN
}

export const median = (samples: readonly number[]): number => percentile(samples, 50)

/** Milliseconds with as many digits as mean something. */
export function ms(value: number): string {
  return `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ms`
}

/** A line of a table: the first cell to the left, the others to the right. */
export function row(first: string, ...cells: readonly string[]): string {
  return `  ${first.padEnd(44)}${cells.map((cell) => cell.padStart(12)).join('')}`
}
