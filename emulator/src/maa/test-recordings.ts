import { manualClock } from '../core/clock.ts'
import { type AttestationProviderRecord, COLLECTIONS, type RoleAssignmentRecord } from '../core/index.ts'
import { createTestContext, type TestContextOptions } from '../core/test-context.ts'
import { createEntraService, findByClientId, issueToken } from '../entra/index.ts'
import { createProcessor } from '../psp/index.ts'
import { createMaaService, registerSigners } from './index.ts'
import { ATTESTATION_CONTRIBUTOR, claimsOf } from './test-providers.ts'

/*
 * For tests: what Microsoft's Python client recorded of the live service in July 2021, sent again to providers as the
 * recording found them.
 */

/** Where the recordings are, when they are beside this checkout. */
export const RECORDINGS = new URL('../../../../shared/vectors/recordings/', import.meta.url)
export const NO_RECORDINGS = 'skipped: the recordings are not beside this checkout (../shared/vectors/recordings)'

export interface Sent {
  readonly method: string
  readonly url: string
  readonly provider: 'aad' | 'isolated' | 'shared'
  readonly requestHeaders?: Readonly<Record<string, string>>
  readonly requestBody: unknown
}

export interface Body {
  readonly token?: string
  readonly keys?: readonly Key[]
  readonly data?: string
}

export interface Key {
  readonly x5c: readonly string[]
  readonly kid: string
}

export interface Exchange extends Sent {
  readonly status: number
  readonly responseHeaders: Readonly<Record<string, string>>
  readonly responseBody: Body
}

export interface Recording {
  readonly setup?: readonly Sent[]
  readonly exchanges: readonly Exchange[]
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Body & { readonly error?: unknown }
}

/** The recorder had given the first two one host name. */
const HOSTS = {
  aad: 'aad.wus.attest.azure.net',
  isolated: 'iso.wus.attest.azure.net',
  shared: 'sharedwus.wus.attest.azure.net',
}

/** Providers at the date of the recording, with the policy signers that it shows. Gives what sends a request to them. */
export async function createReplay(
  { setup = [], exchanges }: Recording,
  at: number,
  settings?: TestContextOptions['settings'],
): Promise<(request: Sent) => Promise<Answer>> {
  const world = createTestContext({ clock: manualClock(at), ...(settings && { settings }) })
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

  return async ({ method, url, provider, requestHeaders, requestBody }) => {
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
