import { generateKeyPairSync, sign, verify, X509Certificate } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { decodeSnpAttestRequest, pemToDer, REPORT_SIGNED_SIZE, reportSignature } from '@skerry/guest/wire'
import { readCertificate, spkiSha256 } from '../../emulator/src/maa/evidence/certificates.ts'
import { createEvidenceVerifier } from '../../emulator/src/maa/evidence/verifier.ts'
import { startInstance } from './instance.ts'
import { load } from './load.ts'
import { MAA } from './release.ts'
import { median, ms, percentile, row } from './statistics.ts'

/**
 * What it costs to verify evidence, beside the same signatures by bare OpenSSL in the same minute; and to attest over
 * HTTPS, beside the cryptography that an answer cannot do without.
 */

const INSTANCE = fileURLToPath(new URL('./attest-instance.ts', import.meta.url))
const BATCH = 25

export interface AttestationBenchOptions {
  readonly count: number
  readonly say: (line?: string) => void
}

export async function benchAttestation({ count, say }: AttestationBenchOptions): Promise<void> {
  await using instance = await startInstance({ script: INSTANCE })
  const body = String(instance.line.request)
  const batches = Math.max(5, Math.ceil(count / 300))
  await benchVerification(body, batches, say)

  const floor = await quickest(batches, [attestFloor()])
  say()
  say(row('POST /attest/SevSnpVm over HTTPS', 'p50', 'p99', 'per second', 'of floor', 'CPU/floor'))
  say(row('floor: P-384 verify, RSA-2048 sign', ms(floor[0]!), '', (1000 / floor[0]!).toFixed(0)))
  const place = { ...instance.direct, host: MAA }
  const headers = { 'Content-Type': 'application/json' }
  const question = { method: 'POST', path: '/attest/SevSnpVm?api-version=2022-08-01', headers, body }
  for (const clients of [1, 64]) {
    const done = await load(instance.pid, { place, clients, warmUp: Math.ceil(count / 4), count, question })
    const times = [ms(median(done.latencies)), ms(percentile(done.latencies, 99)), (1000 / done.each).toFixed(0)]
    const cpu = done.cpu === undefined ? '' : (done.cpu / floor[0]!).toFixed(2)
    say(
      row(
        `${clients} client${clients === 1 ? '' : 's'}, ${count} requests`,
        ...times,
        (floor[0]! / done.each).toFixed(2),
        cpu,
      ),
    )
  }
}

/** Both sides in turns, so that what else the machine does falls on both. */
async function benchVerification(body: string, batches: number, say: (line?: string) => void): Promise<void> {
  const request = { ...decodeSnpAttestRequest(body), uvmEndorsements: [], runtimeData: undefined as never }
  const { report, certificateChainPem: pem } = request
  const ders = pemToDer(pem)
  const chain = ders.map(readCertificate)
  const [leaf, , ark] = chain.map(({ publicKey }) => publicKey)
  const root = { product: 'Milan' as const, arkSpkiSha256: spkiSha256(ark!) }
  const trust = { roots: [root], uvm: [] }
  const now = Date.now()
  const signed = report.subarray(0, REPORT_SIGNED_SIZE)
  const signature = reportSignature(report)

  const bareReport = () => verify('sha384', signed, { key: leaf!, dsaEncoding: 'ieee-p1363' }, signature)
  const bareAll = () => {
    const [vcek, ask, ark] = ders.map((der) => new X509Certificate(der)) as [
      X509Certificate,
      X509Certificate,
      X509Certificate,
    ]
    const key = { key: vcek.publicKey, dsaEncoding: 'ieee-p1363' } as const
    const issuer = ark.publicKey
    return (
      vcek.verify(ask.publicKey) && ask.verify(issuer) && ark.verify(issuer) && verify('sha384', signed, key, signature)
    )
  }
  const verifier = createEvidenceVerifier(async () => trust)
  const must = async (work: () => unknown) => {
    if ((await work()) !== true) throw new Error('the evidence does not verify')
  }
  const known = async () => (await verifier.verify(request, now)).verified
  const unknown = async () => (await createEvidenceVerifier(async () => trust).verify(request, now)).verified
  const times = await quickest(
    batches,
    [bareReport, known, bareAll, unknown].map((work) => () => must(work)),
  )
  const [openssl, ours, opensslAll, oursAll] = times as [number, number, number, number]

  say()
  say(row('Evidence, in one process', 'each', 'per second', 'of OpenSSL'))
  const line = (name: string, each: number, bare?: number) =>
    say(row(name, ms(each), (1000 / each).toFixed(0), bare === undefined ? '' : (bare / each).toFixed(2)))
  line('OpenSSL: the signature of a report', openssl)
  line('a report, its chain seen before', ours, openssl)
  line('OpenSSL: the same, and its three certificates', opensslAll)
  line('a report and a chain never seen', oursAll, opensslAll)
}

/** What no answer can do without: the signature of the report, and that of the token. */
function attestFloor(): () => void {
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' })
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const report = Buffer.alloc(REPORT_SIGNED_SIZE, 1)
  const token = Buffer.alloc(2500, 1)
  const signature = sign('sha384', report, p384.privateKey)
  return () => {
    verify('sha384', report, p384.publicKey, signature)
    sign('sha256', token, rsa.privateKey)
  }
}

/** Milliseconds of one of each work, in the batch that nothing else on the machine disturbed most; batches in turns. */
async function quickest(batches: number, works: readonly (() => unknown)[]): Promise<number[]> {
  const best = works.map(() => Number.POSITIVE_INFINITY)
  for (let batch = -1; batch < batches; batch += 1) {
    for (const [index, work] of works.entries()) {
      const begun = performance.now()
      for (let at = 0; at < BATCH; at += 1) await work()
      const each = (performance.now() - begun) / BATCH
      if (batch >= 0) best[index] = Math.min(best[index]!, each)
    }
  }
  return best
}
