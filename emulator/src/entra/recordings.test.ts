import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { createTestContext } from '../core/test-context.ts'
import { createEntraService } from './index.ts'

interface Exchange {
  readonly method: string
  readonly url: string
  readonly status: number
  readonly responseHeaders: Readonly<Record<string, string>>
  readonly responseBody: Readonly<Record<string, unknown>>
}

const world = createTestContext()
world.use(createEntraService(world.ctx))
const { tenantId, admin } = world.ctx.seed

const folder = new URL('../../../../shared/vectors/recordings/', import.meta.url)
const recorded = (name: string): readonly Exchange[] => {
  const file = new URL(`entra-azidentity-1.1.0-${name}.json`, folder)
  const text = readFileSync(file, 'utf8').replaceAll('fake-tenant', tenantId)
  return (JSON.parse(text) as { exchanges: Exchange[] }).exchanges
}

/** Sends what was recorded; the form of token requests was blanked by the recorder, so ours stands in. */
function replay({ method, url }: Exchange, secret: string): Promise<Response> {
  const form = { grant_type: 'client_credentials', client_id: admin.clientId, client_secret: secret }
  const scope = 'https://vault.azure.net/.default'
  return method === 'GET'
    ? world.fetch(url)
    : world.fetch(new Request(url, { method, body: new URLSearchParams({ ...form, scope }) }))
}

/** Headers that every answer of the kind has; dates, servers and request ids differ by nature. */
const compared = ['cache-control', 'content-type', 'expires', 'pragma', 'strict-transport-security']

describe('Entra answers as it was recorded', () => {
  it.for([
    ['client-secret', admin.clientSecret],
    ['client-secret-invalid', 'guess'],
  ] as const)('%s', async ([name, secret], { skip }) => {
    if (!existsSync(folder)) skip('recordings are not beside this checkout (../shared/vectors/recordings)')
    for (const exchange of recorded(name)) {
      const response = await replay(exchange, secret)
      const body = (await response.json()) as Record<string, unknown>
      expect(response.status).toBe(exchange.status)
      const theirs = new Headers(exchange.responseHeaders)
      for (const header of compared)
        expect([header, response.headers.get(header)]).toEqual([header, theirs.get(header)])
      expect(Object.keys(body).sort()).toEqual(Object.keys(exchange.responseBody).sort())
      if (exchange.method === 'GET') {
        const { tenant_region_scope: _, ...fixed } = exchange.responseBody
        expect(body).toMatchObject(fixed)
      }
    }
  })
})
