import { X509Certificate } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { derToPem } from '@skerry/guest/wire'
import { describe, expect, it } from 'vitest'
import { claimsOf } from './test-providers.ts'
import {
  type Answer,
  createReplay,
  type Exchange,
  type Key,
  NO_RECORDINGS,
  RECORDINGS,
  type Recording,
} from './test-recordings.ts'

/*
 * What Microsoft's Python client recorded of the live service in July 2021 (1.10), sent again at its own date: policies,
 * policy signers and signing keys. Attestations are in sgx/recordings.test.ts. What differs is named here, with its reason.
 */

const ATTESTATIONS = /^maa-attest-(?!tpm)/
const there = existsSync(RECORDINGS)
  ? readdirSync(RECORDINGS)
      .filter((name) => name.startsWith('maa-') && name.endsWith('.json') && !ATTESTATIONS.test(name))
      .map((name) => name.slice(0, -'.json'.length))
  : []
if (there.length === 0) console.log(NO_RECORDINGS)

describe.skipIf(there.length === 0)('exchanges with the live service, sent again', () => {
  it.each(there)('%s', async (file) => {
    const recording = JSON.parse(readFileSync(new URL(`${file}.json`, RECORDINGS), 'utf8')) as Recording
    const send = await createReplay(recording, Date.parse(recording.exchanges[0]!.responseHeaders.date!))
    for (const request of recording.setup ?? []) expect((await send(request)).status).toBe(200)
    const differing: string[] = []
    for (const [at, exchange] of recording.exchanges.entries()) {
      const answer = await send(exchange)
      differing.push(...differences(exchange, answer).map((difference) => `${at} ${difference}`))
    }
    expect(differing).toEqual(KNOWN[file] ?? [])
  })
})

/** Everything that is not as recorded, by the number of the exchange. */
const KNOWN: Readonly<Record<string, readonly string[]>> = {
  // TPM attestation is not covered.
  'maa-attest-tpm': ['1 status: 501 for 200', '1 body: error for data'],
  // The other five keys sign AIK certificates of TPMs. The subject says whose certificate this is; and the evidence in
  // it is of today's service, which runs on SEV-SNP and no longer on SGX.
  'maa-certs-aad': ['0 keys: 1 for 6', '0 subject: O,CN for CN', '0 evidence: SEV-SNP for SGX'],
  // The default policy of SGX is another since 1.11 (2023).
  'maa-policy-get': ['2 x-ms-policy: the default since 2023', '5 x-ms-policy: the default since 2023'],
}

function differences(recorded: Exchange, answer: Answer): string[] {
  const found: string[] = []
  const compare = (what: string, got: unknown, wanted: unknown) => {
    if (JSON.stringify(got) !== JSON.stringify(wanted)) found.push(`${what}: ${got} for ${wanted}`)
  }
  compare('status', answer.status, recorded.status)
  for (const name of Object.keys(recorded.responseHeaders)) {
    if (name !== 'date' && !answer.headers.has(name)) found.push(`header ${name}: missing`)
  }
  compare('content-type', answer.headers.get('content-type'), recorded.responseHeaders['content-type'])
  compare('body', Object.keys(answer.body), Object.keys(recorded.responseBody))
  const [gotToken, wantedToken] = [answer.body.token, recorded.responseBody.token]
  if (gotToken !== undefined && wantedToken !== undefined) {
    compare('header', headerOf(gotToken), headerOf(wantedToken))
    found.push(...claimDifferences(claimsOf(gotToken), claimsOf(wantedToken), recorded.provider))
  }
  const [gotKeys, wantedKeys] = [answer.body.keys, recorded.responseBody.keys]
  if (gotKeys !== undefined && wantedKeys !== undefined) found.push(...keyDifferences(gotKeys, wantedKeys))
  return found
}

/** Names and order, and the values that are not of the instance or the key. */
function headerOf(token: string) {
  const header = JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString()) as Record<string, string>
  return Object.entries({ ...header, jku: new URL(header.jku!).pathname, kid: header.kid?.length }).flat()
}

function claimDifferences(got: Record<string, unknown>, wanted: Record<string, unknown>, provider: string): string[] {
  const names = Object.keys(got).join()
  if (names !== Object.keys(wanted).join()) return [`claims: ${names} for ${Object.keys(wanted)}`]
  return Object.entries(wanted).flatMap(([name, value]) => {
    if (name === 'iss') return []
    if (name === 'exp') return Number(got.exp) - Number(got.iat) === Number(value) - Number(wanted.iat) ? [] : ['exp']
    if (name === 'iat' || name === 'nbf') return typeof got[name] === typeof value && got.iat === got.nbf ? [] : [name]
    if (JSON.stringify(got[name]) === JSON.stringify(value)) return []
    const isDefault = name === 'x-ms-policy' && provider === 'shared'
    return [isDefault ? `${name}: the default since 2023` : `${name}: ${got[name]} for ${value}`]
  })
}

function keyDifferences(got: readonly Key[], wanted: readonly Key[]): string[] {
  const [ours, theirs] = [got, wanted].map(([key]) => ({
    members: Object.keys(key!).join(),
    kid: key!.kid.length,
    // As PEM: the recorded one has the PEM of other certificates inside, which Node would rather read.
    certificate: new X509Certificate(derToPem(Buffer.from(key!.x5c[0]!, 'base64'))),
  }))
  const found = [`keys: ${got.length} for ${wanted.length}`]
  if (ours!.members !== theirs!.members || ours!.kid !== theirs!.kid) found.push('members')
  const [own, other] = [ours!.certificate, theirs!.certificate]
  for (const name of ['serialNumber', 'validFrom', 'validTo', 'ca'] as const) {
    if (own[name] !== other[name]) found.push(`${name}: ${own[name]} for ${other[name]}`)
  }
  if (own.checkIssued(own) !== other.checkIssued(other)) found.push('issuer')
  const namesOf = ({ subject }: X509Certificate) => subject.split('\n').map((part) => part.split('=')[0])
  if (`${namesOf(own)}` !== `${namesOf(other)}`) found.push(`subject: ${namesOf(own)} for ${namesOf(other)}`)
  const evidenceOf = ({ raw }: X509Certificate) => (raw.includes('{"SnpReport"') ? 'SEV-SNP' : 'SGX')
  if (evidenceOf(own) !== evidenceOf(other)) found.push(`evidence: ${evidenceOf(own)} for ${evidenceOf(other)}`)
  return found
}
