import { type Connection, connect } from './connection.ts'
import { API, askJson, createKey, type Instance, startInstance } from './instance.ts'
import { residentMiB } from './process-figures.ts'
import { median, ms, row } from './statistics.ts'

/** What it costs to have many keys: a page of the list, and memory. */

export interface KeysBenchOptions {
  /** Numbers of keys at which the vault is looked at, rising. */
  readonly steps: readonly number[]
  readonly say: (line?: string) => void
}

const PAGES = 200
const CONCURRENT = 8

export async function benchKeys({ steps, say }: KeysBenchOptions): Promise<void> {
  await using instance = await startInstance()
  const connections = await Promise.all(Array.from({ length: CONCURRENT }, () => connect(instance.direct)))
  using _ = { [Symbol.dispose]: () => connections.forEach((connection) => void connection[Symbol.dispose]()) }
  const [first] = connections
  say()
  say(row('Keys in the vault (EC, P-256)', 'first page', 'last page', 'versions', 'resident', 'highest'))
  let made = 0
  for (const step of steps) {
    const one = async (connection: Connection) => {
      while (made < step) await createKey(connection, instance, nameOf(made++), { kty: 'EC', crv: 'P-256' })
    }
    await Promise.all(connections.map(one))
    // What a few pages leave behind is the instance's own business, too.
    const page = () => timeOfPage(first!, instance, `/keys?${API}`)
    const token = Buffer.from(JSON.stringify({ NextMarker: nameOf(step - 25), TargetLocation: 0 })).toString('base64')
    const last = () => timeOfPage(first!, instance, `/keys?${API}&$skiptoken=${encodeURIComponent(token)}`)
    const versions = () => timeOfPage(first!, instance, `/keys/${nameOf(0)}/versions?${API}`)
    const times = [await repeated(page), await repeated(last), await repeated(versions)]
    const memory = residentMiB(instance.pid)
    const sizes = memory === undefined ? [] : [memory.now, memory.highest].map((size) => `${size.toFixed(0)} MiB`)
    say(row(step.toLocaleString('en'), ...times.map(ms), ...sizes))
  }
}

const nameOf = (index: number) => `key-${String(index).padStart(6, '0')}`

async function timeOfPage(connection: Connection, { headers }: Instance, path: string): Promise<number> {
  const begun = performance.now()
  const { value } = await askJson<{ value: unknown[] }>(connection, { method: 'GET', path, headers })
  if (value.length === 0) throw new Error(`${path} is empty`)
  return performance.now() - begun
}

async function repeated(measure: () => Promise<number>): Promise<number> {
  const samples: number[] = []
  for (let at = 0; at < PAGES; at += 1) samples.push(await measure())
  return median(samples)
}
