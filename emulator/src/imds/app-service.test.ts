import { decodeJwt } from 'jose'
import { beforeEach, describe, expect, it } from 'vitest'
import { createTestContext, type TestWorld } from '../core/test-context.ts'
import { instanceCredential } from '../doors/credential.ts'
import { createManagedIdentity, deleteManagedIdentity } from '../entra/index.ts'
import { appServiceIdentity, MSI_PATH } from './app-service.ts'

const VAULT = 'https://vault.azure.net'
const credential = instanceCredential(Buffer.alloc(32, 5))

let world: TestWorld
let answer: (request: Request) => Promise<Response>
let first: ReturnType<typeof createManagedIdentity>
let second: ReturnType<typeof createManagedIdentity>

beforeEach(() => {
  world = createTestContext()
  answer = appServiceIdentity(world.ctx, { readHeader: (secret) => credential.readIdentityHeader(secret) })
  const identity = (name: string) =>
    createManagedIdentity(world.ctx, {
      id: `/subscriptions/s/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/${name}`,
      name,
      location: 'westeurope',
    })
  first = identity('first')
  second = identity('second')
})

const ALL = credential.identityHeader()

async function ask(query: Record<string, string>, headers: Record<string, string> = { 'X-IDENTITY-HEADER': ALL }) {
  const all = new URLSearchParams({ 'api-version': '2019-08-01', resource: VAULT, ...query })
  const response = await answer(new Request(`http://127.0.0.1${MSI_PATH}?${all}`, { headers }))
  return { status: response.status, body: (await response.json()) as Record<string, string> }
}

describe('the token service of App Service', () => {
  it('answers with exactly what it documents, the end of the token as a string of seconds', async () => {
    const { status, body } = await ask({ client_id: first.clientId })
    expect(status).toBe(200)
    expect(body).toEqual({
      access_token: expect.any(String),
      client_id: first.clientId,
      expires_on: String(world.clock.now() / 1000 + 86399),
      resource: VAULT,
      token_type: 'Bearer',
    })
    expect(decodeJwt(body.access_token!)).toMatchObject({ aud: VAULT, oid: first.principalId, xms_mirid: first.id })
  })

  it.each([
    ['client_id', () => second.clientId],
    ['principal_id', () => second.principalId],
    ['object_id', () => second.principalId],
    ['mi_res_id', () => second.id],
  ])('chooses by %s', async (name, value) => {
    expect((await ask({ [name]: value() })).body.client_id).toBe(second.clientId)
  })

  it('gives the app of one identity that one, unasked', async () => {
    const headers = { 'X-IDENTITY-HEADER': credential.identityHeader(second.principalId) }
    expect((await ask({}, headers)).body.client_id).toBe(second.clientId)
    expect((await ask({ client_id: second.clientId }, headers)).status).toBe(200)
  })

  it('never gives it another one', async () => {
    const headers = { 'X-IDENTITY-HEADER': credential.identityHeader(second.principalId) }
    expect((await ask({ client_id: first.clientId }, headers)).status).toBe(400)
  })

  it('answers in the form of 2017, with the date in words', async () => {
    const { body } = await ask({ 'api-version': '2017-09-01', clientid: first.clientId }, { secret: ALL })
    expect(body).toMatchObject({ client_id: first.clientId, expires_on: '01/01/2026 11:59:59 PM +00:00' })
  })

  it.each([
    ['no secret', {}, {}, 401],
    ['a wrong secret', {}, { 'X-IDENTITY-HEADER': 'all.guess' }, 401],
    ['the secret of the other version', {}, { secret: ALL }, 401],
    ['the secret of one identity made into that of all', {}, { 'X-IDENTITY-HEADER': ALL.replace('all', 'own') }, 401],
    ['another api-version', { 'api-version': '2018-02-01' }, undefined, 400],
    ['no resource', { resource: '' }, undefined, 400],
    ['a resource of nobody', { resource: 'https://example.org', client_id: 'FIRST' }, undefined, 400],
    ['several identities and no choice', {}, undefined, 400],
    ['an unknown identity', { client_id: 'unknown' }, undefined, 400],
    ['two ways to choose', { client_id: 'a', mi_res_id: 'b' }, undefined, 400],
  ])('refuses %s', async (_, query, headers, status) => {
    const asked = {
      ...query,
      ...('client_id' in query && query.client_id === 'FIRST' && { client_id: first.clientId }),
    }
    const { body, ...rest } = await ask(asked as Record<string, string>, headers as Record<string, string> | undefined)
    expect(rest.status).toBe(status)
    expect(body).toEqual({ statusCode: status, message: expect.any(String) })
    expect(world.ctx.journal.records().at(-1)).toMatchObject({ service: 'imds', outcome: 'denied' })
  })

  it('refuses the app of an identity that is gone', async () => {
    deleteManagedIdentity(world.ctx, second.id)
    const headers = { 'X-IDENTITY-HEADER': credential.identityHeader(second.principalId) }
    expect((await ask({}, headers)).status).toBe(400)
  })

  it('writes neither secret nor token to the journal', async () => {
    const { body } = await ask({ client_id: first.clientId })
    await ask({}, { 'X-IDENTITY-HEADER': 'all.guess' })
    const journal = JSON.stringify(world.ctx.journal.records())
    for (const secret of [ALL, body.access_token!, 'all.guess']) expect(journal).not.toContain(secret)
  })
})
