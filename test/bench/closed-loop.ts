/** What came of it. Milliseconds. */
export interface ClosedLoop {
  readonly latencies: readonly number[]
  /** From one end to the next. */
  readonly each: number
}

/** A closed loop in this process: each client begins its next piece of work when its last one has ended. */
export async function closedLoop(clients: number, count: number, work: () => Promise<unknown>): Promise<ClosedLoop> {
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
