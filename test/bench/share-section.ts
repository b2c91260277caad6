import { createHash, generateKeyPair } from 'node:crypto'
import { promisify } from 'node:util'
import {
  certificateChainPem,
  decodeReportResponse,
  encodeReportRequest,
  encodeSnpAttestRequest,
  encodeUtf8,
  parseThimCertification,
} from '@skerry/guest/wire'
import { connectInstance } from '../../emulator/src/control/client.ts'
import { findInstance } from '../../emulator/src/control/instance.ts'
import { type Connection, connect } from './connection.ts'
import { type FloorPart, measureFloor } from './floor.ts'
import { API, askJson, createKey, type Instance, startInstance } from './instance.ts'
import { cpuMilliseconds } from './process-figures.ts'
import { MAA, POLICY, releasableKey } from './release.ts'
import { median, ms, percentile, row } from './statistics.ts'

/**
 * What one release costs the emulator alone: the report, as `skerry run` asks for it, the attestation and the release,
 * both through the proxy. Processor time of `skerry up`, beside the cryptography that falls on its side.
 */

const KEY = 'share'
const ENC = 'CKM_RSA_AES_KEY_WRAP'
/** Wrapping keys, made before the clock runs; used in turn. */
const STOCK = 40
/** Answers of one kind in a row; V8 has seen all kinds before it is measured. */
const BATCH = 50

export interface ShareBenchOptions {
  readonly count: number
  readonly say: (line?: string) => void
}

interface Step {
  readonly name: string
  /** Which cryptography falls into it, by the names of `measureFloor`, and how often. */
  readonly floor: Readonly<Record<string, number>>
  readonly ask: (answerBefore: string) => Promise<string>
}

export async function benchShare({ count, say }: ShareBenchOptions): Promise<void> {
  await using instance = await startInstance({ onDisk: true })
  using toMaa = await connect({ ...instance.proxied, host: MAA })
  using toVault = await connect(instance.proxied)
  using client = connectInstance(findInstance(String(instance.line.data)))
  const steps = await stepsOf(instance, client, toMaa, toVault)
  await measure(instance.pid, steps, count)
  const figures = await measure(instance.pid, steps, count)

  say()
  say(row("The emulator's share of a release", 'p50', 'p99', 'CPU', 'floor', 'CPU/floor'))
  const parts = measureFloor()
  const line = (name: string, latencies: readonly number[], cpu: number | undefined, floor: number) => {
    const times = latencies.length === 0 ? ['', ''] : [ms(median(latencies)), ms(percentile(latencies, 99))]
    say(
      row(
        name,
        ...times,
        cpu === undefined ? '' : ms(cpu),
        ms(floor),
        cpu === undefined ? '' : (cpu / floor).toFixed(2),
      ),
    )
  }
  const floors = steps.map(({ floor }) => floorOf(parts, floor))
  for (const [at, { name }] of steps.entries()) line(name, figures[at]!.latencies, figures[at]!.cpu, floors[at]!)
  const sum = (values: readonly (number | undefined)[]) => values.reduce<number>((all, value) => all + (value ?? 0), 0)
  const cpu = figures.some((one) => one.cpu === undefined) ? undefined : sum(figures.map((one) => one.cpu))
  line('together', [], cpu, sum(floors))
}

async function stepsOf(
  instance: Instance,
  client: ReturnType<typeof connectInstance>,
  toMaa: Connection,
  toVault: Connection,
): Promise<Step[]> {
  await createKey(toVault, instance, KEY, releasableKey())
  const { guest, securityContext } = await client.launchGuest({ ccePolicy: Buffer.from(POLICY).toString('base64') })
  const files = Object.entries(securityContext).map(([name, text]) => [name, Buffer.from(text, 'base64')] as const)
  const file = (part: string) => files.find(([name]) => name.startsWith(part))![1]
  const certification = parseThimCertification(JSON.parse(file('host-amd-cert').toString()))
  const stock = await wrappingKeys()
  let turn = 0
  const nextKey = () => stock[turn++ % STOCK]!
  const attesting = {
    method: 'POST',
    path: '/attest/SevSnpVm?api-version=2022-08-01',
    headers: { 'Content-Type': 'application/json' },
  }
  const releasing = { method: 'POST', path: `/keys/${KEY}/release?${API}`, headers: instance.headers }
  return [
    {
      name: 'the report, as skerry run asks for it',
      floor: { 'P-384 sign': 1 },
      async ask() {
        const data = nextKey()
        const reportData = new Uint8Array(64)
        reportData.set(createHash('sha256').update(data).digest())
        const { report } = decodeReportResponse(await guest.reportRequest(encodeReportRequest({ reportData, vmpl: 0 })))
        if (report === undefined) throw new Error('no report')
        return encodeSnpAttestRequest({
          report,
          certificateChainPem: certificateChainPem(certification),
          uvmEndorsements: [file('reference-info')],
          runtimeData: { data, dataType: 'JSON' },
          nonce: 13_202_930_541_250_959_283n,
        })
      },
    },
    {
      name: 'POST /attest/SevSnpVm',
      floor: { 'P-384 verify': 1, 'RSA-2048 sign': 1 },
      ask: async (body) => (await askJson<{ token: string }>(toMaa, { ...attesting, body })).token,
    },
    {
      name: 'POST /keys/…/release',
      floor: { 'RSA-2048 verify': 1, 'RSA-2048 sign': 1, 'RSA-OAEP encrypt': 1, 'AES-256 key wrap': 1 },
      ask: async (target) => {
        const question = { ...releasing, body: JSON.stringify({ target, enc: ENC }) }
        return (await askJson<{ value: string }>(toVault, question)).value
      },
    },
  ]
}

interface Figures {
  readonly latencies: readonly number[]
  /** Milliseconds of one, with all threads. */
  readonly cpu: number | undefined
}

/** Each step many times in a row, on what the step before gave, so that its processor time can be told from the others'. */
async function measure(pid: number, steps: readonly Step[], count: number): Promise<Figures[]> {
  const latencies = steps.map((): number[] => [])
  const cpu = steps.map(() => 0)
  for (let done = 0; done < count; done += BATCH) {
    let answers = Array.from({ length: BATCH }, () => '')
    for (const [at, { ask }] of steps.entries()) {
      const before = cpuMilliseconds(pid) ?? Number.NaN
      const next: string[] = []
      for (const answer of answers) {
        const begun = performance.now()
        next.push(await ask(answer))
        latencies[at]!.push(performance.now() - begun)
      }
      cpu[at]! += (cpuMilliseconds(pid) ?? Number.NaN) - before
      answers = next
    }
  }
  return latencies.map((times, at) => ({
    latencies: times,
    cpu: Number.isNaN(cpu[at]!) ? undefined : cpu[at]! / times.length,
  }))
}

function floorOf(parts: readonly FloorPart[], wanted: Step['floor']): number {
  return Object.entries(wanted).reduce((sum, [name, times]) => {
    const part = parts.find((one) => one.name.startsWith(name))
    if (part === undefined) throw new Error(`the floor has no ${name}`)
    return sum + times * part.each
  }, 0)
}

/** Runtime data with a public wrapping key each, as a sidecar attests it. */
async function wrappingKeys(): Promise<Uint8Array[]> {
  const make = promisify(generateKeyPair)
  return await Promise.all(
    Array.from({ length: STOCK }, async (_, at) => {
      const { publicKey } = await make('rsa', { modulusLength: 2048 })
      const { n, e } = publicKey.export({ format: 'jwk' })
      return encodeUtf8(JSON.stringify({ keys: [{ kty: 'RSA', kid: `bench-${at}`, key_ops: ['encrypt'], e, n }] }))
    }),
  )
}
