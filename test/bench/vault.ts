import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { startBareSigner } from './bare.ts'
import { connect, type Place, type Question } from './connection.ts'
import { API, askJson, createKey, startInstance } from './instance.ts'
import { type Load, load } from './load.ts'
import { releasableKey } from './release.ts'
import { measureSignFloor } from './sign-floor.ts'
import { median, ms, percentile, row } from './statistics.ts'

/** What an operation with a key costs over HTTPS, every check on, beside what bare OpenSSL needs for a signature. */

const KEY = 'bench'
const RELEASE_INSTANCE = fileURLToPath(new URL('./release-instance.ts', import.meta.url))

export interface VaultBenchOptions {
  readonly count: number
  readonly say: (line?: string) => void
}

export async function benchVault({ count, say }: VaultBenchOptions): Promise<void> {
  await using bare = await startBareSigner()
  await using instance = await startInstance()
  using connection = await connect(instance.direct)
  await createKey(connection, instance, KEY, { kty: 'RSA', key_size: 2048 })
  const questionOf = (operation: string, alg: string, value: string): Question => ({
    method: 'POST',
    path: `/keys/${KEY}/${operation}?${API}`,
    headers: instance.headers,
    body: JSON.stringify({ alg, value }),
  })
  const digest = randomBytes(32).toString('base64url')
  const sign = questionOf('sign', 'RS256', digest)
  const wrapping = questionOf('wrapkey', 'RSA-OAEP-256', digest)
  const { value: wrapped } = await askJson<{ value: string }>(connection, wrapping)
  const unwrap = questionOf('unwrapkey', 'RSA-OAEP-256', wrapped)

  say()
  say(row('RS256 with RSA-2048 over HTTPS', 'p50', 'p99', 'per second', 'of OpenSSL', 'p99/p50', 'CPU/floor'))
  const measure = async (name: string, pid: number, place: Place, question: Question) => {
    for (const clients of [1, 32]) {
      const floor = measureSignFloor()
      // Servers are long-lived: V8 has compiled what is hot after some ten thousand requests, for every row the same.
      const done = await load(pid, { place, clients, warmUp: count * 2, count, question })
      say(
        row(
          `${name}, ${clients} client${clients === 1 ? '' : 's'}`,
          ...cells(done, Math.min(floor, measureSignFloor())),
        ),
      )
    }
  }
  await measure('a bare node:https signer', bare.pid, bare.place, { ...sign, headers: {} })
  await measure('sign', instance.pid, instance.direct, sign)
  await measure('sign through the proxy', instance.pid, instance.proxied, sign)
  await measure('unwrap (RSA-OAEP-256)', instance.pid, instance.direct, unwrap)

  await using releasing = await startInstance({ script: RELEASE_INSTANCE })
  using toReleasing = await connect(releasing.direct)
  await createKey(toReleasing, releasing, KEY, releasableKey())
  const body = JSON.stringify({ target: releasing.line.target, enc: 'RSA_AES_KEY_WRAP_256' })
  const release = { method: 'POST', path: `/keys/${KEY}/release?${API}`, headers: releasing.headers, body }
  await measure('release (one token, attested before)', releasing.pid, releasing.direct, release)
}

export function cells({ latencies, each, cpu }: Load, floor: number): string[] {
  const [p50, p99] = [median(latencies), percentile(latencies, 99)]
  return [
    ms(p50),
    ms(p99),
    (1000 / each).toFixed(0),
    (floor / each).toFixed(2),
    (p99 / p50).toFixed(2),
    cpu === undefined ? '' : (cpu / floor).toFixed(2),
  ]
}
