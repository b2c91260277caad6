import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { createTestContext } from '../core/test-context.ts'
import { createImdsService } from '../imds/index.ts'
import { createProcessor } from '../psp/index.ts'
import { createEntraService, createManagedIdentity, ensureApplication } from './index.ts'
import { assertionClaims, assertionForm, signed, testCertificate } from './test-clients.ts'

interface Exchange {
  readonly method: string
  readonly url: string
  readonly requestHeaders: Readonly<Record<string, string>>
  readonly status: number
  readonly responseHeaders: Readonly<Record<string, string>>
  readonly responseBody: Readonly<Record<string, unknown>>
}

const world = createTestContext()
world.use(createEntraService(world.ctx))
world.use(createImdsService(world.ctx, { psp: createProcessor(world.ctx) }))
const { tenantId, admin } = world.ctx.seed

const folder = new URL('../../../../shared/vectors/recordings/', import.meta.url)
const recorded = (name: string): readonly Exchange[] => {
  const file = new URL(`entra-azidentity-1.1.0-${name}.json`, folder)
  const text = readFileSync(file, 'utf8').replaceAll('fake-tenant', tenantId)
  return (JSON.parse(text) as { exchanges: Exchange[] }).exchanges
}

const certificate = await testCertificate(world.ctx, 'recorded')
const app = ensureApplication(world.ctx, { displayName: 'recorded', certificates: [certificate.pem] })
const secretForm = (secret: string) => ({
  grant_type: 'client_credentials',
  client_id: admin.clientId,
  client_secret: secret,
  scope: 'https://vault.azure.net/.default',
})
createManagedIdentity(world.ctx, {
  id: '/subscriptions/s/resourceGroups/r/providers/Microsoft.ManagedIdentity/userAssignedIdentities/i',
  name: 'i',
  location: 'westeurope',
})

/** What differs from the recording, and why. */
const DIFFERENCES: readonly { readonly member: string; readonly why: string }[] = [
  {
    member: 'body.refresh_token',
    why: 'IMDS: the documentation of the endpoint shows it, empty, and clients of container groups have read it; the virtual machine of the recording left it out',
  },
  {
    member: 'body.tenant_region_scope',
    why: 'made up by the service: the recording’s tenant was in North America, this one is in Europe',
  },
]

/** Values that the service makes anew, or that name its own build. */
const MADE_UP = new Set(['date', 'x-ms-ests-server', 'x-ms-request-id', 'server'])
const MADE_UP_MEMBERS = new Set([
  ...['access_token', 'client_id', 'expires_in', 'expires_on', 'not_before', 'error_description', 'timestamp'],
  ...['trace_id', 'correlation_id'],
])

/** The listed differences that were met. */
const seen = new Set<string>()

/** Every difference in status, header names and values, member names, types and values: `header.x`, `body.y`. */
async function differences(exchange: Exchange, response: Response): Promise<string[]> {
  const found = response.status === exchange.status ? [] : [`status ${response.status}`]
  for (const [name, value] of new Headers(exchange.responseHeaders)) {
    const ours = response.headers.get(name)
    // The date is the door's to write, not the service's.
    if (name === 'date' ? false : ours === null || (!MADE_UP.has(name) && ours !== value)) found.push(`header.${name}`)
  }
  const theirs = exchange.responseBody
  const body = (await response.json()) as Record<string, unknown>
  for (const name of new Set([...Object.keys(theirs), ...Object.keys(body)])) {
    const sameType =
      typeof body[name] === typeof theirs[name] && Array.isArray(body[name]) === Array.isArray(theirs[name])
    const same = MADE_UP_MEMBERS.has(name) || JSON.stringify(body[name]) === JSON.stringify(theirs[name])
    if (!(name in body) || !(name in theirs) || !sameType || !same) found.push(`body.${name}`)
  }
  const excused = new Set(DIFFERENCES.map(({ member }) => member))
  for (const one of found) if (excused.has(one)) seen.add(one)
  return found.filter((one) => !excused.has(one))
}

/** Sends what was recorded; the form of token requests was blanked by the recorder, so ours stands in. */
async function replay({ method, url, requestHeaders }: Exchange, form: Record<string, string>): Promise<Response> {
  if (method === 'GET') return await world.fetch(new Request(url, { headers: requestHeaders }))
  return await world.fetch(new Request(url, { method, body: new URLSearchParams(form) }))
}

describe('what was recorded of Entra and IMDS is answered alike', () => {
  it.for([
    ['client-secret', async () => secretForm(admin.clientSecret)],
    ['client-secret-invalid', async () => secretForm('guess')],
    [
      'client-certificate',
      async () => {
        const claims = assertionClaims(world.ctx, app.clientId)
        return assertionForm(
          app.clientId,
          await signed(certificate.privateKey, claims, { alg: 'RS256', x5t: certificate.x5t }),
        )
      },
    ],
    ['imds', async () => ({})],
  ] as const)('%s', async ([name, form], { skip }) => {
    if (!existsSync(folder)) skip('recordings are not beside this checkout (../shared/vectors/recordings)')
    for (const exchange of recorded(name)) {
      expect([exchange.url, await differences(exchange, await replay(exchange, await form()))]).toEqual([
        exchange.url,
        [],
      ])
    }
  })

  it('but for the differences that are listed, each of which is there', ({ skip }) => {
    if (!existsSync(folder)) skip('recordings are not beside this checkout (../shared/vectors/recordings)')
    expect([...seen].sort()).toEqual(DIFFERENCES.map(({ member }) => member).sort())
  })
})
