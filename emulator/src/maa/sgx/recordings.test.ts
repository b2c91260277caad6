import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { manualClock } from '../../core/clock.ts'
import { type AttestationProviderRecord, COLLECTIONS, type RoleAssignmentRecord } from '../../core/index.ts'
import { createTestContext } from '../../core/test-context.ts'
import { createEntraService, findByClientId, issueToken } from '../../entra/index.ts'
import { createProcessor } from '../../psp/index.ts'
import { createMaaService, registerSigners } from '../index.ts'

/*
 * What Microsoft's SDK tests recorded of the live service: real quotes of July 2021, sent at their own date. What differs
 * is named here with its reason.
 */

const FOLDER = new URL('../../../../../shared/vectors/recordings/', import.meta.url)
const files = ['maa-attest-sgx.json', 'maa-attest-openenclave.json'].filter((name) => existsSync(new URL(name, FOLDER)))
if (files.length === 0)
  console.log('skipped: the recordings are not beside this checkout (../shared/vectors/recordings)')

interface RecordedRequest {
  readonly method: string
  readonly url: string
  readonly provider: 'aad' | 'isolated' | 'shared'
  readonly requestHeaders: Readonly<Record<string, string>>
  readonly requestBody: unknown
}

interface Exchange extends RecordedRequest {
  readonly status: number
  readonly responseHeaders: Readonly<Record<string, string>>
  readonly responseBody: { readonly token: string }
}

interface Recording {
  readonly setup?: readonly RecordedRequest[]
  readonly exchanges: readonly Exchange[]
}

/** The recorder had given both of the first two one host name. */
const HOSTS = {
  aad: 'aad.wus.attest.azure.net',
  isolated: 'iso.wus.attest.azure.net',
  shared: 'sharedwus.wus.attest.azure.net',
}
const CONTRIBUTOR = 'bbf86eb8-f7b4-4cce-96e4-18cddf81d86e'

/** Of the time and of the instance. */
const OF_A_RUN = ['exp', 'iat', 'nbf', 'iss', 'jti']
/** There since version 1.11 of the service (2023); the recorded one is 1.10. */
const SINCE_THEN = ['x-ms-policy', 'x-ms-sgx-tcbidentifier']
/** The shared provider's default policy is another since then, and so is its hash. */
const DEFAULT_POLICY = ['x-ms-policy-hash']

describe.skipIf(files.length === 0)('quotes of real enclaves, sent as they were to the live service', () => {
  it.each(files)('%s', async (file) => {
    const { setup = [], exchanges } = JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) as Recording
    const { send } = await world(exchanges, setup)
    for (const request of setup) expect((await send(request)).status).toBe(200)
    expect(exchanges.length).toBeGreaterThan(0)
    for (const exchange of exchanges) {
      const answer = await send(exchange)
      expect(answer.status).toBe(exchange.status)
      expect(Object.keys(answer.headers)).toEqual(
        expect.arrayContaining(Object.keys(exchange.responseHeaders).filter((name) => name !== 'date')),
      )
      expect(answer.headers['content-type']).toBe(exchange.responseHeaders['content-type'])
      expect(Object.keys(answer.body)).toEqual(Object.keys(exchange.responseBody))
      expect(describeToken(answer.body.token, exchange)).toEqual(describeToken(exchange.responseBody.token, exchange))
    }
  })
})

/** What must be equal: header members, claims with their types, and the values that come from the evidence. */
function describeToken(token: string, { provider }: Exchange) {
  const [head, payload] = token.split('.').slice(0, 2).map(partOf) as [Part, Part]
  const loose = [...OF_A_RUN, ...(provider === 'shared' ? DEFAULT_POLICY : [])]
  const claims = Object.entries(payload)
    .filter(([name]) => !SINCE_THEN.includes(name))
    .map(([name, value]) => {
      if (loose.includes(name)) return [name, typeof value]
      return [name, name.endsWith('collateral') ? collateralOf(value as Record<string, string>) : value]
    })
  return { head: { ...head, kid: typeof head.kid, jku: typeof head.jku }, claims }
}

/**
 * Only the quote's hash is ours to have: Intel's collateral of July 2021 is not, it is not evaluated, and the other
 * hashes are those of nothing, in the same form.
 */
function collateralOf(hashes: Record<string, string>) {
  return Object.entries(hashes).map(([name, hash]) => {
    if (name === 'quotehash') return [name, hash]
    expect(hash).toMatch(/^[0-9a-f]{64}$/)
    return [name, 'a hash']
  })
}

type Part = Record<string, unknown>
const partOf = (text: string) => JSON.parse(Buffer.from(text, 'base64url').toString()) as Part

async function world(exchanges: readonly Exchange[], setup: readonly RecordedRequest[]) {
  const issuedAt = partOf(exchanges[0]!.responseBody.token.split('.')[1]!).iat as number
  const test = createTestContext({
    clock: manualClock(issuedAt * 1000),
    settings: { attestation: { trust: 'both', endorsers: [] } },
  })
  const { ctx } = test
  test.use(createEntraService(ctx))
  test.use(createMaaService(ctx, { psp: createProcessor(ctx) }))
  const scope = `/subscriptions/${ctx.seed.subscriptionId}`
  const providers = ctx.store.collection<AttestationProviderRecord>(COLLECTIONS.attestationProviders)
  for (const [name, trustModel] of [
    ['aad', 'AAD'],
    ['isolated', 'Isolated'],
  ] as const) {
    const id = `${scope}/resourceGroups/rg/providers/Microsoft.Attestation/attestationProviders/${name}`
    providers.put(HOSTS[name], { name, host: HOSTS[name], trustModel, id })
  }
  ctx.store.collection<RoleAssignmentRecord>(COLLECTIONS.roleAssignments).put('contributor', {
    id: `${scope}/providers/Microsoft.Authorization/roleAssignments/contributor`,
    name: 'contributor',
    scope,
    roleDefinitionId: `/providers/Microsoft.Authorization/roleDefinitions/${CONTRIBUTOR}`,
    principalId: ctx.seed.admin.objectId,
    createdOn: '2021-01-01T00:00:00Z',
    createdBy: ctx.seed.admin.objectId,
  })
  // The isolated provider was created with the signer of the recorded policies.
  const signed = setup.find(({ provider }) => provider === 'isolated')
  if (signed !== undefined) {
    const { jwk } = partOf((signed.requestBody as string).split('.')[0]!) as { jwk: unknown }
    registerSigners(ctx, HOSTS.isolated, [jwk])
  }
  const principal = findByClientId(ctx, ctx.seed.admin.clientId)!
  const { accessToken } = await issueToken(ctx, { principal, resource: 'https://attest.azure.net' })
  return {
    async send({ method, url, provider, requestHeaders, requestBody }: RecordedRequest) {
      const target = new URL(url)
      target.hostname = HOSTS[provider]
      const headers = { authorization: `Bearer ${accessToken}`, 'content-type': requestHeaders['Content-Type'] ?? '' }
      const body = typeof requestBody === 'string' ? requestBody : JSON.stringify(requestBody)
      const response = await test.fetch(new Request(target, { method, headers, body }))
      const answer = (await response.json()) as { token: string }
      return { status: response.status, headers: Object.fromEntries(response.headers), body: answer }
    },
  }
}
