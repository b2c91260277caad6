import { type Connection, connect, encode } from './connection.ts'
import type { LoadJob, LoadResult } from './load.ts'

// The loading side of a load, in a process of its own so that it does not take the server's core. Started by load.ts.

process.once('message', (job: LoadJob) => {
  run(job).then(
    (result) => process.send!(result, () => process.disconnect()),
    (error: Error) => process.send!({ error: error.message }, () => process.disconnect()),
  )
})

async function run({ place, clients, warmUp, count, question }: LoadJob): Promise<LoadResult> {
  const bytes = encode(place.host, question)
  const connections = await Promise.all(Array.from({ length: clients }, () => connect(place)))
  try {
    await loop(connections, bytes, warmUp)
    process.send!('begin')
    const begun = performance.now()
    const latencies = await loop(connections, bytes, count)
    return { latencies, elapsed: performance.now() - begun }
  } finally {
    for (const connection of connections) connection[Symbol.dispose]()
  }
}

/** A closed loop: each client sends its next request when it has the answer to its last one. */
async function loop(connections: readonly Connection[], bytes: Buffer, count: number): Promise<number[]> {
  const latencies: number[] = []
  let begun = 0
  const client = async (connection: Connection) => {
    while (begun < count) {
      begun += 1
      const from = performance.now()
      const { status, text } = await connection.send(bytes)
      latencies.push(performance.now() - from)
      if (status !== 200) throw new Error(`answered with ${status}: ${text}`)
    }
  }
  await Promise.all(connections.map(client))
  return latencies
}
