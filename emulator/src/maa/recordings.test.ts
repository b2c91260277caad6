import { X509Certificate } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { derToPem } from '@skerry/guest/wire'
import { describe, expect, it } from 'vitest'
import { manualClock } from '../core/clock.ts'
import { type AttestationProviderRecord, COLLECTIONS, type RoleAssignmentRecord } from '../core/index.ts'
import { createTestContext } from '../core/test-context.ts'
import { createEntraService, findByClientId, issueToken } from '../entra/index.ts'
import { createProcessor } from '../psp/index.ts'
import { createMaaService, registerSigners } from './index.ts'
import { ATTESTATION_CONTRIBUTOR, claimsOf } from './test-providers.ts'

/*
 * What Microsoft's Python client recorded of the live service in July 2021 (1.10), sent again at its own date: policies,
 * policy signers and signing keys. Attestations are in sgx/recordings.test.ts. What differs is named here, with its reason.
 */

const FOLDER = new URL('../../../../shared/vectors/recordings/', import.meta.url)
const ATTESTATIONS = /^maa-attest-(?!tpm)/
const there = existsSync(FOLDER)
  ? readdirSync(FOLDER)
      .filter((name) => name.startsWith('maa-') && name.endsWith('.json') && !ATTESTATIONS.test(name))
      .map((name) => name.slice(0, -'.json'.length))
  : []
if (there.length === 0)
  console.log('skipped: the recordings are not beside this checkout (../shared/vectors/recordings)')

interface Sent {
  readonly method: string
  readonly url: string
  readonly provider: 'aad' | 'isolated' | 'shared'
  readonly requestHeaders?: Readonly<Record<string, string>>
  readonly requestBody: unknown
}

interface Exchange extends Sent {
  readonly status: number
  readonly responseHeaders: Readonly<Record<string, string>>
  readonly responseBody: { readonly token?: string; readonly keys?: readonly Key[]; readonly data?: string }
}

interface Key {
  readonly x5c: readonly string[]
  readonly kid: string
}

interface Recording {
  readonly setup?: readonly Sent[]
  readonly exchanges: readonly Exchange[]
}

/** The recorder had given the first two one host name. */
const HOSTS = {
  aad: 'aad.wus.attest.azure.net',
  isolated: 'iso.wus.attest.azure.net',
  shared: 'sharedwus.wus.attest.azure.net',
}

describe.skipIf(there.length === 0)('exchanges with the live service, sent again', () => {
  it.each(there)('%s', async (file) => {
    const recording = JSON.parse(readFileSync(new URL(`${file}.json`, FOLDER), 'utf8')) as Recording
    const send = await createReplay(recording)
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

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Exchange['responseBody'] & { readonly error?: unknown }
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

/** Providers as the recording found them: at its date, with the policy signers that it shows. */
async function createReplay({ setup = [], exchanges }: Recording) {
  const at = Date.parse(exchanges[0]!.responseHeaders.date!)
  const world = createTestContext({ clock: manualClock(at) })
  const { ctx } = world
  world.use(createEntraService(ctx))
  world.use(createMaaService(ctx, { psp: createProcessor(ctx) }))
  const scope = `/subscriptions/${ctx.seed.subscriptionId}`
  const providers = ctx.store.collection<AttestationProviderRecord>(COLLECTIONS.attestationProviders)
  for (const [name, trustModel] of [
    ['aad', 'AAD'],
    ['isolated', 'Isolated'],
  ] as const) {
    const id = `${scope}/resourceGroups/rg/providers/Microsoft.Attestation/attestationProviders/${name}`
    providers.put(HOSTS[name], { name, host: HOSTS[name], trustModel, id })
  }
  registerSigners(ctx, HOSTS.isolated, signersOf([...setup, ...exchanges]))
  const principal = findByClientId(ctx, ctx.seed.admin.clientId)!
  ctx.store.collection<RoleAssignmentRecord>(COLLECTIONS.roleAssignments).put('contributor', {
    id: `${scope}/providers/Microsoft.Authorization/roleAssignments/contributor`,
    name: 'contributor',
    scope,
    roleDefinitionId: `/providers/Microsoft.Authorization/roleDefinitions/${ATTESTATION_CONTRIBUTOR}`,
    principalId: principal.objectId,
    createdOn: '2021-01-01T00:00:00Z',
    createdBy: principal.objectId,
  })
  const { accessToken } = await issueToken(ctx, { principal, resource: 'https://attest.azure.net' })

  return async ({ method, url, provider, requestHeaders, requestBody }: Sent): Promise<Answer> => {
    const target = new URL(url)
    target.hostname = HOSTS[provider]
    const type = requestHeaders?.['Content-Type'] ?? requestHeaders?.['content-type']
    // The recorder dropped the header in which the token was.
    const headers = { authorization: `Bearer ${accessToken}`, ...(type !== undefined && { 'content-type': type }) }
    // Text under application/json was a JSON string.
    const bare = typeof requestBody === 'string' && type?.startsWith('text/')
    const body = requestBody === null ? undefined : bare ? requestBody : JSON.stringify(requestBody)
    const response = await world.fetch(new Request(target, { method, headers, ...(body !== undefined && { body }) }))
    return { status: response.status, headers: response.headers, body: (await response.json()) as Answer['body'] }
  }
}

/** The policy signers at the end of the recording (it leaves them as it found them), or whoever signs in it. */
function signersOf(requests: readonly (Sent & Partial<Exchange>)[]): unknown[] {
  const isolated = requests.filter(({ provider }) => provider === 'isolated')
  const listed = isolated.findLast(({ method, url }) => method === 'GET' && url.includes('/certificates'))
  if (listed?.responseBody?.token !== undefined) {
    const certificates = claimsOf(listed.responseBody.token)['x-ms-policy-certificates']
    return [...(certificates as { keys: unknown[] }).keys]
  }
  const signers = isolated.flatMap(({ requestBody }) => {
    if (typeof requestBody !== 'string') return []
    const header = JSON.parse(Buffer.from(requestBody.split('.')[0]!, 'base64url').toString()) as { jwk?: unknown }
    return header.jwk === undefined ? [] : [JSON.stringify(header.jwk)]
  })
  return [...new Set(signers)].map((jwk) => JSON.parse(jwk) as unknown)
}
